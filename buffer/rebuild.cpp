#include "buffer/rebuild.h"

#include <algorithm>

#include "agent/base/text.h"
#include "buffer/epoch.h"

namespace edgehose {
namespace {

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

Counter operator-(Counter a, const Counter& b) {
  return {minus(a.records, b.records), minus(a.bytes, b.bytes)};
}

// Records between two blocks. Where an earlier salvage skipped numbers there were none.
std::uint64_t gap(Sequence end, Sequence next) {
  const std::uint64_t records = minus(next.value, end.value);
  return records < kSequencesSkipped ? records : 0;
}

Counter settled(const LaneState& lane) {
  Counter sum = lane.delivered;
  sum += lane.dead_lettered;
  for (const Counter& dropped : lane.dropped) sum += dropped;
  return sum;
}

}  // namespace

Rebuild::Rebuild(const ControlEntries& entries, bool current, Keyring& keys)
    : current_(current), keys_(keys) {
  decode(entries);
}

void Rebuild::decode(const ControlEntries& entries) {
  using namespace keyspace;
  for (const auto& [key, value] : entries) {
    if (key == counters_key()) {
      if (const auto counters = decode_counters(value)) {
        counters_ = *counters;
        counters_known_ = true;
      }
    } else if (key == format_key()) {
      // What was salvaged stays where it lies, and is referred to.
      if (const auto format = decode_format(value)) format_ = format->with(Feature::kReferences);
    } else if (key == epoch_key()) {
      if (const auto epoch = decode_epoch(value)) epoch_ = *epoch;
    } else if (key.starts_with(kSourcePrefix)) {
      if (const auto source = decode_source(key, value)) sources_[source->id] = *source;
    } else if (key.starts_with(kLanePrefix)) {
      if (const auto lane = decode_lane(key, value)) lanes_[lane->key] = *lane;
    } else if (key.starts_with(kClaimPrefix)) {
      const auto plain = keys_.open_value(key, value);
      if (!plain) continue;
      if (const auto claim = decode_claim(key, *plain)) claims_[claim->id] = *claim;
    } else if (key.starts_with(kReplayPrefix)) {
      ++replays_;  // its letters may be lost; what is not is replayed under the same key when asked
                   // again
    } else {
      entries_[key] = value;
    }
  }
}

bool Rebuild::delivered(const BlockSummary& block) const {
  bool any = false;
  for (const auto& [key, lane] : lanes_) {
    if (!over(key, block.source)) continue;
    any = true;
    if (lane.cursor.block <= block.number) return false;
  }
  return any;
}

SourceState& Rebuild::source(SourceId id) {
  SourceState& source = sources_[id];
  if (source.id.value == 0) {
    source.id = id;
    source.name = fmt::format("recovered-{}", id.value);
  }
  return source;
}

void Rebuild::leave_out(const BlockSummary& block) {
  for (const auto& [key, lane] : lanes_)
    if (over(key, block.source) && lane.cursor.block <= block.number)
      left_out_[key] += {block.records, block.body_raw};
  const auto owner = sources_.find(block.source);
  if (!current_ && owner != sources_.end() && block.number >= counters_.next_block &&
      block.first >= owner->second.next_sequence)
    new_[block.source] += {block.records, block.body_raw};
}

void Rebuild::keep(const BlockHeader& h, const std::function<Result<std::string>()>& read) {
  SourceState& owner = source(h.source);
  const Counter size{h.records, h.body_raw};
  kept_.push_back({h.number, h.source, h.first_sequence, size, h.mini()});
  note_partial(h, read);
  if (!current_ && h.number >= counters_.next_block && h.first_sequence >= owner.next_sequence)
    new_[h.source] += size;
  note_extents(h);
}

// Raw bytes before each position inside the block that a lane or a claim has.
void Rebuild::note_partial(const BlockHeader& header,
                           const std::function<Result<std::string>()>& read) {
  std::vector<std::uint32_t> wanted;
  const auto want = [&](const Position& p) {
    if (p.block == header.number && p.record > 0) wanted.push_back(p.record);
  };
  for (const auto& [key, lane] : lanes_) want(lane.cursor);
  for (const auto& [id, claim] : claims_) {
    want(claim.begin);
    want(claim.end);
  }
  if (wanted.empty()) return;
  const auto stored = read();
  const auto opened = stored ? open_block(*stored, &keys_) : tl::unexpected(stored.error());
  if (!opened) return;
  BlockDecoder decoder;
  const auto block = decoder.decode(*opened);
  if (!block) return;
  RecordReader reader(*block);
  Record record;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 1; reader.next(record); ++i) {
    bytes += record.body.size() + 1;
    if (std::ranges::find(wanted, i) != wanted.end()) partial_[{header.number, i}] = bytes;
  }
}

// The records of the lane in kept blocks from one position up to another.
Counter Rebuild::held(const LaneKey& lane, Position from, std::optional<Position> to) const {
  Counter sum;
  const auto before = [&](const Position& p, const Kept& block) {
    const auto bytes = partial_.find(p);
    return Counter{std::min<std::uint64_t>(p.record, block.size.records),
                   bytes != partial_.end() ? bytes->second : 0};
  };
  for (const Kept& block : kept_) {
    if (!over(lane, block.source) || block.number < from.block) continue;
    if (to && Position{block.number, 0} >= *to) break;
    Counter size = block.size;
    if (to && block.number == to->block) size = before(*to, block);
    if (block.number == from.block) size = size - before(from, block);
    sum += size;
  }
  return sum;
}

// Those that new ones can follow: to the end, with nothing between them or behind them. Sequences
// that go on higher follow none.
std::vector<BlockNumber> Rebuild::newest_minis(const SourceState& source) const {
  std::vector<BlockNumber> minis;
  Sequence next = source.next_sequence;
  for (auto block = kept_.rbegin(); block != kept_.rend() && minis.size() < kMaxMinis; ++block) {
    if (block->source != source.id) continue;
    if (!block->mini || block->first + block->size.records != next) break;
    next = block->first;
    minis.push_back(block->number);
  }
  std::ranges::reverse(minis);
  return minis;
}

void Rebuild::advance_sources(Losses& losses) {
  std::map<SourceId, Sequence> ends;
  for (const Kept& block : kept_) {
    Sequence& end = ends[block.source];
    if (end.value != 0) missing_behind_[block.source] += gap(end, block.first);
    end = std::max(end, block.first + block.size.records);
  }
  for (auto& [id, source] : sources_) {
    source.minis.clear();
    if (current_) source.minis = newest_minis(source);
    if (ends[id].value != 0) missing_behind_[id] += gap(ends[id], source.next_sequence);
    const Sequence end = std::max(ends[id], source.next_sequence);
    if (!current_) {
      // What was committed since the copy: the blocks found, and the gaps between them.
      const std::uint64_t records = end - source.next_sequence;
      Counter& added = new_[id];
      added.records = std::max(added.records, records);
      source.committed += added;
      source.next_sequence = end + kSequencesSkipped;
    } else {
      source.next_sequence = end;
    }
  }
  if (!current_)
    losses.assumed.push_back(fmt::format(
        "positions and cursors are those of the last copy, moved on by the blocks found; sequence "
        "numbers go on {} higher, so that none is given twice",
        kSequencesSkipped));
}

void Rebuild::settle_claims(Losses& losses) {
  std::map<LaneKey, bool> broken;
  for (auto it = claims_.begin(); it != claims_.end();) {
    const Claim& claim = it->second;
    const auto lane = lanes_.find(claim.lane);
    bool& gone = broken[claim.lane];
    gone = gone || lane == lanes_.end() || claim.begin < lane->second.cursor ||
           held(claim.lane, claim.begin, claim.end).records != claim.size.records;
    if (!gone) {
      ++it;
      continue;
    }
    if (lane != lanes_.end()) lane->second.possible_duplicates += claim.size.records;
    ++losses.claims;
    it = claims_.erase(it);
  }
  if (losses.claims > 0)
    losses.assumed.push_back(fmt::format(
        "{} deliveries that had begun begin anew: their records may arrive twice", losses.claims));
}

void Rebuild::settle_lanes(Losses& losses) {
  for (auto& [key, lane] : lanes_) {
    for (const auto& [source, added] : new_)
      if (over(key, source)) lane.committed += added;
    const Counter buffered = held(key, lane.cursor, std::nullopt);
    Counter due = settled(lane);
    due += buffered;
    const Counter lost = lane.committed - due;
    const Counter& out = left_out_[key];
    const Counter left_out{std::min(lost.records, out.records), std::min(lost.bytes, out.bytes)};
    lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)] += left_out;
    lane.dropped[static_cast<std::size_t>(DropReason::kCorrupt)] += lost - left_out;
    due += lost;
    lane.committed = due;  // more than was counted where old blocks were found again
    losses.left_out += left_out;
    losses.corrupt += lost - left_out;
    lost_[key] = lost;
  }
}

void Rebuild::advance_counters() {
  const std::uint64_t skipped = current_ ? 0 : kNumbersSkipped;
  for (const Kept& block : kept_)
    counters_.next_block = std::max(counters_.next_block, block.number + 1);
  for (const auto& [id, source] : sources_)
    counters_.next_source = std::max(counters_.next_source, id + 1);
  for (const auto& [key, lane] : lanes_) {
    counters_.next_sink = std::max(counters_.next_sink, key.sink + 1);
    counters_.next_block = std::max(counters_.next_block, lane.cursor.block);
  }
  for (const auto& [id, claim] : claims_)
    counters_.next_claim = std::max(counters_.next_claim, id + 1);
  for (const auto& [key, value] : entries_)
    if (const auto file = keyspace::parse_file_key(key)) last_file_ = std::max(last_file_, *file);
  counters_.next_file = std::max(counters_.next_file, last_file_ + 1);
  counters_.next_block = counters_.next_block + skipped;
  counters_.next_claim = counters_.next_claim + skipped;
  counters_.next_dead_letter += skipped;
  if (!current_) counters_.first_sequence = counters_.first_sequence + kSequencesSkipped;
  counters_.next_file = counters_.next_file + static_cast<std::uint32_t>(skipped);
}

Result<ControlEntries> Rebuild::finish(Losses& losses) {
  using namespace keyspace;
  advance_sources(losses);
  settle_claims(losses);
  settle_lanes(losses);
  advance_counters();
  if (replays_ > 0)
    losses.assumed.push_back(
        fmt::format("{} replays of dead letters are given up: ask for them again", replays_));
  EH_TRY(encode_files(losses));
  const bool known = epoch_ && counters_known_;
  // Nor is there any telling which numbers were given where only an old copy is left: it may be the
  // second buffer that is lost beside it.
  if (!known || (!current_ && kept_.empty())) {
    EH_ASSIGN(epoch_, draw_epoch());
    losses.new_epoch = true;
    losses.assumed.push_back(
        known
            ? "new records carry a new epoch"
            : "positions are lost and there was no copy: new records carry a new epoch, files are "
              "read by start_at again, and what was delivered before may arrive twice");
  }
  entries_[format_key()] = encode_format(format_);
  entries_[epoch_key()] = encode_epoch(*epoch_);
  entries_[counters_key()] = encode_counters(counters_, format_);
  for (const auto& [id, source] : sources_)
    entries_[source_key(id)] = encode_source(source, format_);
  for (const auto& [key, lane] : lanes_) entries_[lane_key(key)] = encode_lane(lane);
  for (const auto& [id, claim] : claims_) {
    const std::string key = claim_key(id);
    EH_ASSIGN(entries_[key], keys_.seal_value(key, encode_claim(claim, format_)));
  }
  return entries_;
}

}  // namespace edgehose
