// The reading half of a Store, in memory, with blocks made by the real codec.
#pragma once

#include <map>
#include <set>

#include "buffer/codec.h"
#include "buffer/store.h"

namespace edgehose::test {

class FakeStore final : public Store {
 public:
  // Appends a block of these records of `source`; numbers and sequences count up.
  BlockInfo add(SourceId source, const std::vector<std::string>& records, bool mini) {
    BlockBuilder builder(source);
    std::uint64_t offset = 0;
    for (const std::string& body : records) {
      NewRecord record;
      record.body = body;
      record.time =
          WallTime(1'763'861'040'000'000'000 + static_cast<std::int64_t>(next_++) * 1'000'000);
      record.file = FileId(1);
      record.begin = offset;
      record.end = offset += body.size() + 1;
      builder.append(record);
    }
    const RawBlock raw = builder.take();
    BlockHeader header;
    header.flags = mini ? kBlockMini : 0;
    header.number = BlockNumber(blocks_.size() + removed_ + 1);
    Sequence& sequence = sequences_.try_emplace(source, Sequence(1)).first->second;
    header.first_sequence = sequence;
    sequence = sequence + records.size();
    const auto bytes = encoder_.encode(raw, header, nullptr);
    EXPECT_TRUE(bytes);
    blocks_[header.number] = *open_block(*bytes, nullptr);
    return info(blocks_[header.number]);
  }
  void remove(BlockNumber number) { removed_ += blocks_.erase(number); }
  void damage(BlockNumber number) { damaged_.insert(number); }
  void fail_at(BlockNumber number) { broken_.insert(number); }

  Result<std::optional<BlockInfo>> next_block(SourceId source, BlockNumber from) override {
    for (auto i = blocks_.lower_bound(from); i != blocks_.end(); ++i)
      if (source.value == 0 || i->second.header.source == source) return info(i->second);
    return std::nullopt;
  }
  Result<StoredBlock> read(BlockNumber number) override {
    ++reads;
    if (broken_.contains(number)) return fail(ErrorCode::kIo, "the disk is away");
    if (damaged_.contains(number)) return fail(ErrorCode::kCorrupt, "block damaged");
    const auto found = blocks_.find(number);
    if (found == blocks_.end()) return fail(ErrorCode::kNotFound, "no such block");
    return found->second;
  }
  Result<DecodedBlock> read_decoded(BlockNumber number) override {
    EH_ASSIGN(const StoredBlock block, read(number));
    return decoder_.decode(block);
  }
  Result<std::vector<SourceState>> sources() override {
    SourceState a, b;
    a.id = SourceId(1), a.name = "app";
    b.id = SourceId(2), b.name = "other";
    return std::vector{a, b};
  }
  Result<std::optional<FileState>> file(FileId) override {
    FileState state;
    state.path = "/var/log/app.log";
    return state;
  }

  // The writing half is not asked for here.
  Result<std::unique_ptr<Transaction>> begin() override {
    return fail(ErrorCode::kUnsupported, "-");
  }
  SourceId source_id(std::string_view) override { return {}; }
  SinkId sink_id(std::string_view) override { return {}; }
  FileId new_file_id() override { return {}; }
  const Epoch& epoch() const override { return epoch_; }
  BlockNumber end_block() const override { return BlockNumber(blocks_.size() + removed_ + 1); }
  Result<std::vector<SinkState>> sinks() override { return std::vector<SinkState>(); }
  Result<std::vector<LaneState>> lanes() override { return std::vector<LaneState>(); }
  Result<std::vector<Claim>> claims() override { return std::vector<Claim>(); }
  Status for_each_file(const std::function<void(FileId, const FileState&)>&) override { return {}; }
  Result<std::vector<std::uint64_t>> for_each_dead_letter(
      const std::function<bool(const DeadLetter&)>&) override {
    return std::vector<std::uint64_t>{};
  }
  Result<std::vector<Claim>> replays() override { return std::vector<Claim>(); }
  Result<std::optional<DeadLetter>> dead_letter(std::uint64_t id) override {
    const auto found = letters.find(id);
    if (found == letters.end()) return std::nullopt;
    return found->second;
  }
  StoreUsage usage() const override { return {}; }
  void maintain() override {}
  Status close() override { return {}; }

  int reads = 0;
  std::map<std::uint64_t, DeadLetter> letters;

 private:
  static BlockInfo info(const StoredBlock& block) {
    const BlockHeader& h = block.header;
    return {h.number,   h.source,      h.first_sequence, h.records,  h.mini(),
            h.body_raw, h.body_stored, h.first_time,     h.last_time};
  }

  BlockEncoder encoder_{1};
  BlockDecoder decoder_;
  Epoch epoch_{};
  std::map<BlockNumber, StoredBlock> blocks_;
  std::map<SourceId, Sequence> sequences_;
  std::set<BlockNumber> damaged_, broken_;
  std::size_t removed_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace edgehose::test
