#include "buffer/verify.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "agent/base/file.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/environment_check.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/salvage.h"

namespace edgehose {
namespace {

std::vector<std::string> wrapped_keys(const lmdb::Transaction& txn) {
  std::vector<std::string> stored;
  auto cursor = lmdb::Cursor::open(txn);
  if (!cursor) return stored;
  auto entry = cursor->at_or_after(keyspace::kDataKeyPrefix);
  for (; entry && *entry && (*entry)->key.starts_with(keyspace::kDataKeyPrefix);
       entry = cursor->next())
    stored.emplace_back((*entry)->value);
  return stored;
}

Result<lmdb::Environment> open_for_reading(const std::string& path, const StoreOptions& options) {
  if (::access(path.c_str(), F_OK) != 0)
    return fail(ErrorCode::kNotFound, "there is no buffer {}", path);
  EH_TRY(refuse_damaged(path, options));
  return lmdb::Environment::open(path, lmdb::map_size_for(options.max_size), true);
}

void open_archives(const std::string& directory, Archives& archives) {
  for (const ArchiveFile& file : archive_files(directory)) archives.open(directory, file.id, true);
}

class Verifier {
 public:
  Verifier(const lmdb::Transaction& txn, const StoreOptions& options, const std::string& directory)
      : txn_(txn), keys_(Keyring::open_available(wrapped_keys(txn), options.keys)) {
    open_archives(directory, archives_);
  }

  Result<VerifyReport> run() {
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn_));
    auto entry = cursor.first();
    for (; entry && *entry; entry = cursor.next()) {
      ++report_.keys;
      visit((*entry)->key, (*entry)->value);
    }
    if (!entry) finding("the keys cannot be walked to their end: {}", entry.error().message);
    check_sources();
    check_claims();
    check_lanes();
    if (!counters_seen_) finding("the counters are missing");
    return report_;
  }

 private:
  struct Held {
    BlockNumber number;
    SourceId source;
    Counter size;
    std::vector<std::uint32_t> lengths;  // raw, only where a position lies inside (see position_)
  };

  template <class... Args>
  void finding(fmt::format_string<Args...> format, Args&&... args) {
    ++report_.found;
    if (report_.findings.size() < kMaxFindings)
      report_.findings.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  template <class T, class Use>
  void with(const Result<T>& decoded, Use use) {
    if (decoded)
      use(*decoded);
    else
      finding("{}", decoded.error().message);
  }

  template <class Use>
  void with_sealed(std::string_view key, std::string_view value, Use use) {
    const auto plain = keys_.open_value(key, value);
    if (plain)
      use(*plain);
    else if (plain.error().code == ErrorCode::kAuth)
      ++report_.unopened;
    else
      finding("a small value: {}", plain.error().message);
  }

  void visit(std::string_view key, std::string_view value) {
    using namespace keyspace;
    if (key.starts_with(kBlockPrefix)) return visit_block(key, value);
    if (key == epoch_key()) return with(decode_epoch(value), [](const Epoch&) {});
    if (key == machine_key()) return with(decode_machine(value), [](const Machine&) {});
    if (key == salvage_key()) return with(decode_salvage(value), [](const SalvageState&) {});
    if (key == counters_key()) {
      return with(decode_counters(value), [&](const Counters& c) {
        counters_ = c;
        counters_seen_ = true;
      });
    }
    if (key.starts_with(kSourcePrefix))
      return with(decode_source(key, value), [&](const SourceState& s) {
        sources_[s.id] = s;
        ++report_.sources;
      });
    if (key.starts_with(kSinkPrefix)) return with(decode_sink(key, value), [](const SinkState&) {});
    if (key.starts_with(kLanePrefix))
      return with(decode_lane(key, value), [&](const LaneState& l) {
        lanes_[l.key] = l;
        ++report_.lanes;
      });
    if (key.starts_with(kFilePrefix)) {
      ++report_.files;
      return with_sealed(
          key, value, [&](const std::string& v) { with(decode_file(v), [](const FileState&) {}); });
    }
    if (key.starts_with(kClaimPrefix)) {
      ++report_.claims;
      return with_sealed(key, value, [&](const std::string& v) {
        with(decode_claim(key, v), [&](const Claim& c) { claims_.push_back(c); });
      });
    }
    if (key.starts_with(kReplayPrefix)) {
      return with_sealed(key, value, [&](const std::string& v) {
        with(decode_replay(key, v), [](const Claim&) {});
      });
    }
    if (key.starts_with(kDeadLetterPrefix)) {
      ++report_.dead_letters;
      return with_sealed(key, value, [&](const std::string& v) {
        with(decode_dead_letter(key, v), [](const DeadLetter&) {});
      });
    }
  }

  void visit_block(std::string_view key, std::string_view value) {
    ++report_.blocks;
    const auto place = keyspace::parse_block_key(key);
    if (!place) return finding("a block has a malformed key");
    const auto header = decode_header(value);
    if (!header) return finding("block {}: {}", place->number.value, header.error().message);
    if (header->number != place->number || header->source != place->source)
      finding("block {} lies under the key of block {}", header->number.value, place->number.value);
    const auto reference = parse_reference(value);
    if (!reference && stored_size(*header) != value.size())
      finding("block {} is {} bytes long and should be {}", place->number.value, value.size(),
              stored_size(*header));
    check_order(*header);
    Held held{place->number, place->source, {header->records, header->body_raw}, {}};
    if (reference) {
      const auto archived = archives_.read(value, *reference);
      if (archived)
        check_records(*archived, *header, held);
      else
        finding("{}", archived.error().message);
    } else {
      check_records(value, *header, held);
    }
    report_.records += header->records;
    report_.raw_bytes += header->body_raw;
    if (header->mini()) {
      ++report_.minis;
      minis_[header->source].push_back(header->number);
    }
    held_.push_back(std::move(held));
  }

  void check_order(const BlockHeader& header) {
    Last& last = last_[header.source];
    if (last.epoch == header.epoch && last.end.value != 0) {
      if (header.first_sequence < last.end)
        finding("block {}: sequence {} of source {} was given twice", header.number.value,
                header.first_sequence.value, header.source.value);
      if (header.first_sequence > last.end) ++report_.sequence_gaps;
    }
    last = {header.epoch, header.end_sequence()};
  }

  void check_records(std::string_view stored, const BlockHeader& header, Held& held) {
    auto opened = open_block(stored, &keys_);
    if (!opened && opened.error().code == ErrorCode::kAuth) {
      ++report_.unopened;
      return;
    }
    if (!opened) return finding("{}", opened.error().message);
    const auto block = decoder_.decode(*opened);
    if (!block) return finding("{}", block.error().message);
    RecordReader reader(*block);
    Record record;
    std::uint64_t bytes = 0;
    for (; reader.next(record); bytes += record.body.size() + 1)
      held.lengths.push_back(static_cast<std::uint32_t>(record.body.size() + 1));
    if (!reader.ok() || held.lengths.size() != header.records || bytes != header.body_raw)
      finding("block {}: its index does not fit its records", header.number.value);
    // Only lanes with a cursor or a claim inside need them, and those are few; long lists go.
    if (kept_lengths_ += held.lengths.size(); kept_lengths_ > kMaxKeptLengths) held.lengths.clear();
  }

  void check_sources() {
    for (const auto& [id, last] : last_) {
      const auto source = sources_.find(id);
      if (source == sources_.end())
        finding("source {} has blocks and no name", id.value);
      else if (source->second.next_sequence < last.end)
        finding("source {}: its next sequence {} was given already", source->second.name,
                source->second.next_sequence.value);
    }
    for (const auto& [id, source] : sources_) {
      const auto& there = minis_[id];
      for (const BlockNumber mini : source.minis)
        if (std::find(there.begin(), there.end(), mini) == there.end())
          finding("source {}: block {} is listed as mini and is none", source.name, mini.value);
    }
    if (!held_.empty() && counters_seen_ && held_.back().number >= counters_.next_block)
      finding("the next block number {} was given already", counters_.next_block.value);
  }

  static bool over(const LaneKey& lane, SourceId source) {
    return lane.source.value == 0 || lane.source == source;
  }

  Counter before(const Held& block, std::uint32_t records) const {
    Counter sum{records, 0};
    for (std::size_t i = 0; i < records && i < block.lengths.size(); ++i)
      sum.bytes += block.lengths[i];
    return sum;
  }

  Counter held(const LaneKey& lane, const Position& from, const Position* to) const {
    Counter sum;
    for (const Held& block : held_) {
      if (!over(lane, block.source) || block.number < from.block) continue;
      if (to != nullptr && Position{block.number, 0} >= *to) break;
      Counter size = block.size;
      if (to != nullptr && to->block == block.number) size = before(block, to->record);
      if (from.block == block.number) {
        const Counter skipped = before(block, from.record);
        size.records -= std::min(size.records, skipped.records);
        size.bytes -= std::min(size.bytes, skipped.bytes);
      }
      sum += size;
    }
    return sum;
  }

  void check_claims() {
    std::map<LaneKey, Position> ends;
    for (const Claim& claim : claims_) {
      const auto lane = lanes_.find(claim.lane);
      if (lane == lanes_.end()) {
        finding("claim {} belongs to no lane", claim.id.value);
        continue;
      }
      if (claim.begin < lane->second.cursor || claim.end < claim.begin)
        finding("claim {} lies before its lane's cursor", claim.id.value);
      const Counter size = held(claim.lane, claim.begin, &claim.end);
      if (size.records != claim.size.records)
        finding("claim {} covers {} records, and {} of them are held", claim.id.value,
                claim.size.records, size.records);
    }
  }

  // committed = delivered + buffered + dropped + dead-lettered, the buffered counted. Of a done
  // claim that waits for an earlier one the records are still held, and counted as what became of
  // them.
  void check_lanes() {
    for (const auto& [key, lane] : lanes_) {
      Counter sum = held(key, lane.cursor, nullptr);
      for (const Claim& claim : claims_)
        if (claim.done && claim.lane == key)
          sum.records -= held(key, claim.begin, &claim.end).records;
      sum += lane.delivered;
      sum += lane.dead_lettered;
      for (const Counter& dropped : lane.dropped) sum += dropped;
      if (sum.records != lane.committed.records)
        finding(
            "lane of sink {} and source {}: {} records were committed, and {} are accounted for",
            key.sink.value, key.source.value, lane.committed.records, sum.records);
    }
  }

  struct Last {
    Epoch epoch{};
    Sequence end;
  };
  static constexpr std::size_t kMaxKeptLengths = 4u << 20;
  const lmdb::Transaction& txn_;
  const Keyring keys_;
  Archives archives_;
  BlockDecoder decoder_;
  VerifyReport report_;
  keyspace::Counters counters_;
  bool counters_seen_ = false;
  std::map<SourceId, SourceState> sources_;
  std::map<LaneKey, LaneState> lanes_;
  std::vector<Claim> claims_;
  std::map<SourceId, Last> last_;
  std::map<SourceId, std::vector<BlockNumber>> minis_;
  std::vector<Held> held_;
  std::size_t kept_lengths_ = 0;
};

// Hands out a block's records; false where it cannot be read.
Result<bool> export_block(std::string_view stored, const Keyring& keys, BlockDecoder& decoder,
                          const ExportRecord& write, ExportReport& report) {
  auto opened = open_block(stored, &keys);
  if (!opened) return false;
  const auto block = decoder.decode(*opened);
  if (!block) return false;
  RecordReader reader(*block);
  Record record;
  while (reader.next(record)) {
    EH_TRY(write(block->header.source, block->header, record));
    ++report.records;
  }
  ++report.blocks;
  return reader.ok();
}

}  // namespace

Result<VerifyReport> verify_buffer(const std::string& path, const StoreOptions& options) {
  EH_ASSIGN(const lmdb::Environment env, open_for_reading(path, options));
  EH_ASSIGN(const lmdb::Transaction txn, env.begin_read());
  EH_ASSIGN(const auto format, txn.get(keyspace::format_key()));
  if (!format) return fail(ErrorCode::kCorrupt, "{} has no format version", path);
  EH_ASSIGN(const auto version, keyspace::decode_format(*format));
  EH_TRY(keyspace::check_format(version, path));
  return Verifier(txn, options, parent_directory(path)).run();
}

Result<ExportReport> export_buffer(const std::string& path, const StoreOptions& options,
                                   const ExportRecord& write) {
  EH_ASSIGN(const lmdb::Environment env, open_for_reading(path, options));
  EH_ASSIGN(const lmdb::Transaction txn, env.begin_read());
  const Keyring keys = Keyring::open_available(wrapped_keys(txn), options.keys);
  Archives archives;
  open_archives(parent_directory(path), archives);
  BlockDecoder decoder;
  ExportReport report;
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  auto entry = cursor.at_or_after(keyspace::kBlockPrefix);
  for (; entry && *entry && (*entry)->key.starts_with(keyspace::kBlockPrefix);
       entry = cursor.next()) {
    std::string_view stored = (*entry)->value;
    std::string archived;
    if (const auto reference = parse_reference(stored)) {
      archived = archives.read(stored, *reference).value_or("");
      stored = archived;
    }
    EH_ASSIGN(const bool readable, export_block(stored, keys, decoder, write, report));
    if (!readable) ++report.unreadable_blocks;
  }
  if (!entry) return tl::unexpected(std::move(entry).error());
  return report;
}

Result<ExportReport> export_salvaged(const std::string& path, const StoreOptions& options,
                                     const std::vector<std::string>& wrapped, const Clock& clock,
                                     const ExportRecord& write) {
  const Keyring keys = Keyring::open_available(wrapped, options.keys);
  std::vector<BlockSummary> found;
  ExportReport report;
  EH_ASSIGN(const ScanResult scan,
            scan_blocks(path, &keys, clock, kNever, [&](const FoundBlock& block) {
              if (block.checked)
                found.push_back(summarize(block));
              else
                ++report.unreadable_blocks;
              return found.size() < kMaxFoundBlocks;
            }));
  report.unreadable_blocks += scan.damaged;
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  BlockDecoder decoder;
  for (const BlockSummary& block : choose_blocks(std::move(found)).blocks) {
    const auto stored = read_found(fd.get(), block);
    if (!stored) {
      ++report.unreadable_blocks;
      continue;
    }
    EH_ASSIGN(const bool readable, export_block(*stored, keys, decoder, write, report));
    if (!readable) ++report.unreadable_blocks;
  }
  return report;
}

}  // namespace edgehose
