// A Store of file positions only, with transactions that happen at once or not at all.
#pragma once

#include <map>

#include "buffer/store.h"

namespace edgehose::testing {

inline tl::unexpected<Error> not_here() {
  return fail(ErrorCode::kUnsupported, "not in this store");
}

class FakeStore final : public Store {
 public:
  std::map<std::uint32_t, FileState> files;
  std::size_t files_put = 0;

  class FakeTransaction final : public Transaction {
   public:
    explicit FakeTransaction(FakeStore& store) : store_(store), files_(store.files) {}
    Result<BlockInfo> append(const RawBlock&) override { return not_here(); }
    Status count_not_taken(SourceId, const Counter&) override { return {}; }
    Status count_losses(SourceId, const SourceLosses&) override { return {}; }
    Status put_file(FileId id, const FileState& state) override {
      files_[id.value] = state;
      ++put_;
      return {};
    }
    Status erase_file(FileId id) override {
      files_.erase(id.value);
      return {};
    }
    Status add_lane(LaneKey, Position) override { return {}; }
    Status put_sink(const SinkState&) override { return {}; }
    Status forget_lane(const LaneKey&) override { return {}; }
    Status drop_backlog(const LaneKey&) override { return {}; }
    Status forget_sink(SinkId) override { return {}; }
    Status forget_source(SourceId) override { return {}; }
    Result<Claim> claim(Claim) override { return not_here(); }
    Status acknowledge(const Acknowledgement&) override { return {}; }
    Status put_upload(ClaimId, PartialUpload) override { return {}; }
    Result<std::vector<Claim>> recut(ClaimId, const std::vector<Claim>&, std::uint64_t) override {
      return not_here();
    }
    Status erase_dead_letter(std::uint64_t) override { return {}; }
    Result<Claim> replay(std::vector<std::uint64_t>) override { return not_here(); }
    Result<Claim> begin_replay(ClaimId, const std::string&, const std::string&) override {
      return not_here();
    }
    Status halve_replay(ClaimId, std::uint64_t) override { return {}; }
    Result<Counter> drop_oldest(std::uint64_t, const std::vector<LaneKey>&, DropScope) override {
      return not_here();
    }
    Result<unsigned> trim() override { return 0u; }
    Position cursor(const LaneKey&) const override { return {}; }
    Result<std::optional<BlockInfo>> next_block(SourceId, BlockNumber) override {
      return not_here();
    }
    Status commit() override {
      store_.files = files_;
      store_.files_put += put_;
      return {};
    }
    Status upgrade_format() override { return {}; }

   private:
    FakeStore& store_;
    std::map<std::uint32_t, FileState> files_;
    std::size_t put_ = 0;
  };

  Result<std::unique_ptr<Transaction>> begin() override {
    return std::make_unique<FakeTransaction>(*this);
  }
  SourceId source_id(std::string_view) override { return SourceId(1); }
  SinkId sink_id(std::string_view) override { return SinkId(1); }
  FileId new_file_id() override { return FileId(++last_id_); }
  const Epoch& epoch() const override { return epoch_; }
  Result<std::optional<BlockInfo>> next_block(SourceId, BlockNumber) override { return not_here(); }
  Result<StoredBlock> read(BlockNumber) override { return not_here(); }
  Result<DecodedBlock> read_decoded(BlockNumber) override { return not_here(); }
  BlockNumber end_block() const override { return BlockNumber(1); }
  Result<std::vector<SourceState>> sources() override { return known_sources; }
  std::vector<SourceState> known_sources;  // as an earlier process left them
  Result<std::vector<SinkState>> sinks() override { return not_here(); }
  Result<std::vector<LaneState>> lanes() override { return not_here(); }
  Result<std::vector<Claim>> claims() override { return not_here(); }
  Status for_each_file(const std::function<void(FileId, const FileState&)>& visit) override {
    for (const auto& [id, state] : files) visit(FileId(id), state);
    return {};
  }
  Result<std::optional<FileState>> file(FileId id) override {
    const auto at = files.find(id.value);
    return at == files.end() ? std::optional<FileState>() : at->second;
  }
  Result<std::vector<std::uint64_t>> for_each_dead_letter(
      const std::function<bool(const DeadLetter&)>&) override {
    return std::vector<std::uint64_t>{};
  }
  Result<std::vector<Claim>> replays() override { return std::vector<Claim>(); }
  Result<std::optional<DeadLetter>> dead_letter(std::uint64_t) override { return std::nullopt; }
  StoreUsage usage() const override { return {}; }
  void maintain() override {}
  Status close() override { return {}; }

 private:
  std::uint32_t last_id_ = 0;
  Epoch epoch_{};
};

}  // namespace edgehose::testing
