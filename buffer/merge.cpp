// Append, and the life of minis: small blocks that wait until together they are a full one.
//
// A mini, at most kMiniRawBytes, is merged with its neighbours once the source's minis reach
// kBlockFullBytes or number kMaxMinis. Runs of minis that no cursor and no claim separates are
// merged, never past the size of a full block, under the number of their last; a run that is
// claimed stays as it is.
#include <algorithm>

#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/block_index.h"
#include "buffer/store_impl.h"

namespace edgehose {
void TransactionImpl::count_committed(const RawBlock& block, SourceState& source) {
  const Counter size{block.records, block.bodies.size()};
  source.committed += size;
  source.next_sequence = source.next_sequence + block.records;
  changed_sources_.insert(source.id);
  for (auto& [key, lane] : state_.lanes) {
    if (!over(key, source.id)) continue;
    lane.committed += size;
    changed_lanes_.insert(key);
  }
  raw_ += size.bytes;
}

Result<BlockInfo> TransactionImpl::append(const RawBlock& block) {
  if (broken_) return tl::unexpected(*broken_);
  EH_ASSIGN(SourceState * state, source(block.source));
  Result<BlockInfo> info = block.bodies.size() > kMiniRawBytes ? append_alone(block, *state, false)
                                                               : append_small(block, *state);
  if (!info) return info;
  for (const Extent& e : block.extents) {
    const auto [appended, first] = appended_.try_emplace(e.file);
    if (first) appended->second.undelivered_from = e.begin;
    appended->second.source = block.source;
    appended->second.block = info->number;
  }
  count_committed(block, *state);
  ++state_.counters.next_block;
  return info;
}

Result<BlockInfo> TransactionImpl::append_alone(const RawBlock& block, SourceState& source,
                                                bool mini) {
  BlockHeader h;
  h.flags = mini ? kBlockMini : 0;
  h.number = state_.counters.next_block;
  h.first_sequence = source.next_sequence;
  EH_ASSIGN(const BlockInfo info, write_block(block, std::move(h), true));
  if (mini) {
    source.minis.push_back(info.number);
    state_.mini_bytes[info.number] = info.body_raw;
    return info;
  }
  // Minis before a block that stays have no further neighbour to wait for.
  EH_ASSIGN(const std::vector<Run> runs, runs_of(source, info.number));
  for (const Run& run : runs) EH_TRY(settle_run(source.id, run));
  source.minis.clear();
  return info;
}

Result<BlockInfo> TransactionImpl::append_small(const RawBlock& block, SourceState& source) {
  EH_ASSIGN(const std::uint64_t waiting, mini_bytes(source));
  if (waiting + block.bodies.size() < kBlockFullBytes && source.minis.size() + 1 < kMaxMinis)
    return append_alone(block, source, true);

  const BlockNumber number = state_.counters.next_block;
  EH_ASSIGN(std::vector<Run> runs, runs_of(source, number));
  Run last;  // what the new block may join
  if (!runs.empty() && !claimed(source.id, runs.back().back().number) &&
      !separated(source.id, runs.back().back().number, number)) {
    last = std::move(runs.back());
    runs.pop_back();
  }
  std::uint64_t joined = block.bodies.size();
  for (const Mini& mini : last) joined += mini.bytes;
  const bool merge = !last.empty() && joined <= kBlockRawBytes &&
                     (joined >= kBlockFullBytes || last.size() + 1 >= kMaxMinis);
  const bool settle_last = !last.empty() && joined > kBlockRawBytes;

  Result<BlockInfo> info =
      merge ? append_merged(block, source, last) : append_alone(block, source, true);
  if (!info) return info;
  if (!merge && settle_last) runs.push_back(std::exchange(last, {}));
  // A claimed run at the end may soon be free and take part again, while the list has room.
  Run kept;
  if (!runs.empty() && claimed(source.id, runs.back().back().number) &&
      runs.back().size() + last.size() + 1 < kMaxMinis && !merge && !settle_last) {
    kept = std::move(runs.back());
    runs.pop_back();
  }
  for (const Run& run : runs) EH_TRY(settle_run(source.id, run));

  source.minis.clear();
  for (const Mini& mini : kept) source.minis.push_back(mini.number);
  if (!merge)
    for (const Mini& mini : last) source.minis.push_back(mini.number);
  if (info->mini) source.minis.push_back(info->number);
  return info;
}

Result<BlockInfo> TransactionImpl::append_merged(const RawBlock& block, SourceState& source,
                                                 const Run& run) {
  BlockHeader h;
  h.number = state_.counters.next_block;
  auto joined = read_run(source.id, run, h.first_sequence);
  const bool follows = joined && h.first_sequence + joined->records == source.next_sequence;
  if (!follows || !concatenate(*joined, block)) {
    if (!joined && joined.error().code != ErrorCode::kCorrupt &&
        joined.error().code != ErrorCode::kAuth)
      return tl::unexpected(joined.error());
    return append_alone(block, source, true);  // stays beside them
  }
  h.flags = joined->bodies.size() >= kBlockFullBytes ? 0 : kBlockMini;
  EH_ASSIGN(BlockInfo info, write_block(*joined, std::move(h), true));
  for (const Mini& mini : run) EH_TRY(erase_block({mini.number, source.id}));
  if (info.mini) state_.mini_bytes[info.number] = info.body_raw;
  return info;
}

// The source's minis in runs that nothing separates; those that every lane has passed are left to
// trim. A claimed mini stands in a run of claimed ones.
Result<std::vector<TransactionImpl::Run>> TransactionImpl::runs_of(const SourceState& source,
                                                                   BlockNumber next) {
  std::vector<Run> runs;
  EH_TRY(mini_bytes(source));
  const auto passed = passed_by_all(source.id);
  for (const BlockNumber number : source.minis) {
    if ((passed && number < *passed) || number >= next) continue;
    const Mini mini{number, state_.mini_bytes[number]};
    const bool joins = !runs.empty() && !separated(source.id, runs.back().back().number, number) &&
                       claimed(source.id, runs.back().back().number) == claimed(source.id, number);
    if (!joins) runs.emplace_back();
    runs.back().push_back(mini);
  }
  return runs;
}

// Raw bytes of the minis that are still there; those trimmed meanwhile leave the list.
Result<std::uint64_t> TransactionImpl::mini_bytes(const SourceState& source) {
  std::uint64_t sum = 0;
  for (const BlockNumber number : source.minis) {
    auto known = state_.mini_bytes.find(number);
    if (known == state_.mini_bytes.end()) {
      const auto found = header({number, source.id});
      if (!found && found.error().code != ErrorCode::kCorrupt) return tl::unexpected(found.error());
      known = state_.mini_bytes.emplace(number, found ? found->body_raw : 0).first;
    }
    sum += known->second;
  }
  return sum;
}

bool TransactionImpl::covers(const Claim& claim, SourceId source, BlockNumber block) const {
  return over(claim.lane, source) && claim.begin.block <= block && Position{block, 0} < claim.end;
}

bool TransactionImpl::claimed(SourceId source, BlockNumber block) const {
  return std::ranges::any_of(
      state_.claims, [&](const auto& entry) { return covers(entry.second, source, block); });
}

// True where a cursor or a claim's end lies between the two, or inside one of them.
bool TransactionImpl::separated(SourceId source, BlockNumber before, BlockNumber after) const {
  const auto cuts = [&](const Position& p) { return Position{before, 0} < p && p.block <= after; };
  for (const auto& [key, lane] : state_.lanes)
    if (over(key, source) && cuts(lane.cursor)) return true;
  return std::ranges::any_of(state_.claims, [&](const auto& entry) {
    const Claim& c = entry.second;
    return over(c.lane, source) && (cuts(c.begin) || cuts(c.end));
  });
}

// A block tells one epoch and its first sequence: what it is made of must follow each other, or its
// records would become others. Where blocks between them were lost or dropped they do not.
Result<RawBlock> TransactionImpl::read_run(SourceId source, const Run& run, Sequence& first) {
  RawBlock joined;
  for (const Mini& mini : run) {
    EH_ASSIGN(const StoredBlock stored, store_.read_in(txn_, mini.number));
    EH_ASSIGN(DecodedBlock block, store_.decode(stored));
    const BlockHeader& header = block.header;
    if (header.epoch != store_.epoch_ ||
        (joined.records > 0 && header.first_sequence != first + joined.records))
      return fail(ErrorCode::kCorrupt, "block {} does not follow the one before it",
                  mini.number.value);
    RawBlock raw{source,
                 block.header.records,
                 block.header.first_time,
                 block.header.last_time,
                 std::move(block.bodies),
                 std::move(block.index),
                 std::move(block.header.extents)};
    if (joined.records == 0) {
      first = block.header.first_sequence;
      joined = std::move(raw);
    } else if (!concatenate(joined, raw)) {
      return fail(ErrorCode::kCorrupt, "block {} cannot be joined", mini.number.value);
    }
  }
  const Duration span(joined.last_time.value - joined.first_time.value);
  joined.slow = comes_slowly(joined.bodies.size(), span);
  return joined;
}

// Merges a run's minis in groups that are at most a full block.
Status TransactionImpl::settle_run(SourceId source, const Run& run) {
  if (claimed(source, run.front().number)) return {};
  Run group;
  std::uint64_t bytes = 0;
  for (const Mini& mini : run) {
    if (bytes + mini.bytes > kBlockRawBytes) {
      EH_TRY(settle_group(source, group));
      group.clear();
      bytes = 0;
    }
    group.push_back(mini);
    bytes += mini.bytes;
  }
  return settle_group(source, group);
}

Status TransactionImpl::settle_group(SourceId source, const Run& group) {
  // A lone mini, or one cut by a position inside it, stays.
  if (group.size() < 2) return {};
  BlockHeader h;
  h.number = group.back().number;
  const auto joined = read_run(source, group, h.first_sequence);
  if (!joined) {
    const ErrorCode code = joined.error().code;
    if (code != ErrorCode::kCorrupt && code != ErrorCode::kAuth)
      return tl::unexpected(joined.error());
    log::warn("minis are left as they are: {}", joined.error().message);
    return {};
  }
  for (const Mini& mini : group) EH_TRY(erase_block({mini.number, source}));
  EH_TRY(write_block(*joined, std::move(h), false));
  return {};
}

}  // namespace edgehose
