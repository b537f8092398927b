// What goes: blocks that every lane has passed (trim), and the oldest ones when the buffer is full
// (drop_oldest).
#include <algorithm>

#include "buffer/block_header.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {
constexpr unsigned kTrimAtLeast = 16;  // small blocks; one that fills pages goes at once
// With so few blocks in all, they share the one leaf page that every commit writes anyway.
constexpr std::size_t kFewBlocks = 8;
constexpr unsigned kTrimAtMost = 256;
constexpr unsigned kDropAtMost = 4096;
}  // namespace

// The block that the slowest lane over the source has reached; none without a lane.
std::optional<BlockNumber> TransactionImpl::passed_by_all(SourceId source) const {
  std::optional<BlockNumber> slowest;
  for (const auto& [key, lane] : state_.lanes)
    if (over(key, source) && (!slowest || lane.cursor.block < *slowest))
      slowest = lane.cursor.block;
  return slowest;
}

bool TransactionImpl::few_blocks() const {
  const std::lock_guard lock(store_.mutex_);
  return store_.catalog_.size() + added_.size() <= kFewBlocks;
}

Position TransactionImpl::cursor(const LaneKey& lane) const {
  const auto found = state_.lanes.find(lane);
  return found == state_.lanes.end() ? Position{} : found->second.cursor;
}

Result<unsigned> TransactionImpl::trim() { return trim_at_least(kTrimAtLeast); }

Result<unsigned> TransactionImpl::trim_at_least(unsigned blocks) {
  std::vector<BlockKey> passed;
  bool large = false;
  for (const auto& [id, source] : state_.sources) {
    const auto end = passed_by_all(id);
    if (!end) continue;
    for (auto key = next_key(id, BlockNumber(0));
         key && key->number < *end && passed.size() < kTrimAtMost;
         key = next_key(id, key->number + 1)) {
      EH_ASSIGN(const auto stored, txn_.get(keyspace::block_key(key->number, key->source)));
      large = large || (stored && (stored->size() >= lmdb::kPageBytes || parse_reference(*stored)));
      passed.push_back(*key);
    }
  }
  if (!large && passed.size() < blocks && !few_blocks()) return 0;
  for (const BlockKey& key : passed) {
    EH_TRY(erase_block(key));
    std::vector<BlockNumber>& minis = state_.sources.at(key.source).minis;
    if (std::erase(minis, key.number) > 0) changed_sources_.insert(key.source);
  }
  return static_cast<unsigned>(passed.size());
}

// Counts a block that is about to vanish in every lane that still had it to deliver, and moves the
// cursors that stood in front of it.
Status TransactionImpl::drop_from_lanes(BlockKey key, DropReason reason) {
  for (auto& [lane_key, lane] : state_.lanes) {
    if (!over(lane_key, key.source) || lane.cursor.block > key.number) continue;
    const std::uint32_t record = lane.cursor.block == key.number ? lane.cursor.record : 0;
    EH_ASSIGN(const Counter lost, size_from(key, record));
    lane.dropped[static_cast<std::size_t>(reason)] += lost;
    bool first = lane.cursor.block == key.number;
    if (!first) {
      EH_ASSIGN(first, nothing_between(lane_key, lane.cursor, {key.number, 0}));
    }
    if (first) lane.cursor = {key.number + 1, 0};
    changed_lanes_.insert(lane_key);
  }
  return {};
}

// The oldest block in the scope that no claim in the way holds.
std::optional<keyspace::BlockKey> TransactionImpl::next_to_drop(const std::set<LaneKey>& configured,
                                                                DropScope scope,
                                                                const InTheWay& in_the_way) const {
  std::optional<BlockKey> oldest;
  for (const auto& [id, source] : state_.sources) {
    std::optional<BlockNumber> needed;  // from this block on
    for (const auto& [key, lane] : state_.lanes)
      if (over(key, id) && configured.contains(key) && (!needed || lane.cursor.block < *needed))
        needed = lane.cursor.block;
    for (auto key = next_key(id, BlockNumber(0)); key; key = next_key(id, key->number + 1)) {
      const bool spared = scope == DropScope::kUnneeded && needed && key->number >= *needed;
      if (spared || (oldest && oldest->number < key->number)) break;
      if (std::ranges::any_of(state_.claims, [&](const auto& entry) {
            return covers(entry.second, id, key->number) && in_the_way(entry.second);
          }))
        continue;
      oldest = key;
      break;
    }
  }
  return oldest;
}

// Claims of lanes that left the config protect nothing: nobody sends them. All records of one that
// holds this block count as dropped: what were left of it could only be sent under another name,
// and what has arrived of it would be there twice. None, and nothing happened: its lane has
// something before it, which a lane over several sources may.
Result<std::optional<Counter>> TransactionImpl::give_up_claims(
    BlockKey block, const std::set<LaneKey>& configured) {
  std::vector<Claim> claims;  // over the block, in the order of their lanes
  for (const auto& [id, claim] : state_.claims)
    if (!configured.contains(claim.lane) && covers(claim, block.source, block.number))
      claims.push_back(claim);
  std::ranges::sort(claims, {}, &Claim::begin);
  std::map<LaneKey, Position> cursors;
  for (const Claim& claim : claims) {
    const auto at = cursors.emplace(claim.lane, state_.lanes.at(claim.lane).cursor).first;
    EH_ASSIGN(const bool next, nothing_between(claim.lane, at->second, claim.begin));
    if (!next) return std::nullopt;
    at->second = claim.end;
  }
  Counter dropped;
  for (const Claim& claim : claims) {
    if (claim.done) continue;  // settled with the one before it
    LaneState& lane = state_.lanes.at(claim.lane);
    lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)] += claim.size;
    lane.cursor = std::max(lane.cursor, claim.end);
    changed_lanes_.insert(lane.key);
    dropped += claim.size;
    EH_TRY(erase(keyspace::claim_key(claim.id)));
    state_.claims.erase(claim.id);
    EH_TRY(settle_done_claims(lane));
  }
  return dropped;
}

Result<Counter> TransactionImpl::drop_oldest(std::uint64_t bytes,
                                             const std::vector<LaneKey>& configured,
                                             DropScope scope) {
  const std::set<LaneKey> lanes(configured.begin(), configured.end());
  const auto any = [](const Claim&) { return true; };
  const auto sent = [&](const Claim& claim) { return claim.done || lanes.contains(claim.lane); };
  Counter dropped;
  // What a lowered limit does not allow any more goes too.
  const std::int64_t target =
      grown_ - std::max<std::int64_t>(beyond_limit(), 0) - static_cast<std::int64_t>(bytes);
  for (unsigned n = 0; n < kDropAtMost && grown_ > target; ++n) {
    auto key = next_to_drop(lanes, DropScope::kUnneeded, any);
    if (!key) {
      key = next_to_drop(lanes, DropScope::kUnneeded, sent);
      EH_ASSIGN(const auto given_up, key ? give_up_claims(*key, lanes) : std::optional<Counter>());
      if (!given_up) key.reset();
      dropped += given_up.value_or(Counter{});
    }
    if (!key && scope == DropScope::kAny) key = next_to_drop(lanes, DropScope::kAny, any);
    if (!key) break;
    EH_ASSIGN(const Counter size, size_from(*key, 0));
    const auto passed = passed_by_all(key->source);
    EH_TRY(drop_from_lanes(*key, DropReason::kBufferFull));
    EH_TRY(erase_block(*key));
    if (!passed || key->number >= *passed) dropped += size;  // else it was only waiting for trim
    if (std::erase(state_.sources.at(key->source).minis, key->number) > 0)
      changed_sources_.insert(key->source);
  }
  // Done claims behind what vanished may be first in their lanes now.
  for (auto& [key, lane] : state_.lanes) EH_TRY(settle_done_claims(lane));
  return dropped;
}

}  // namespace edgehose
