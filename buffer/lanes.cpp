// Lanes and claims inside a Transaction. The equation that every change here keeps, per lane:
// committed = delivered + buffered + dropped + dead_lettered.
#include <algorithm>
#include <limits>

#include "buffer/store_impl.h"

namespace edgehose {

std::string_view name(DropReason reason) {
  switch (reason) {
    case DropReason::kBufferFull: return "buffer_full";
    case DropReason::kCorrupt: return "corrupt";
    case DropReason::kForgotten: return "forgotten";
    case DropReason::kCount_: break;
  }
  return "unknown";
}

Counter LaneState::buffered() const {
  Counter rest = committed;
  const auto less = [&rest](const Counter& c) {
    rest.records -= c.records;
    rest.bytes -= c.bytes;
  };
  less(delivered);
  less(dead_lettered);
  for (const Counter& c : dropped) less(c);
  return rest;
}

bool passed(const std::map<LaneKey, LaneState>& lanes, SourceId source, BlockNumber block) {
  bool any = false;
  for (const auto& [key, lane] : lanes) {
    if (key.source.value != 0 && key.source != source) continue;
    any = true;
    // A block that the cursor stands in may have been made of earlier ones.
    if (lane.cursor.record > 0 || lane.cursor.block <= block) return false;
  }
  return any;
}

bool TransactionImpl::over(const LaneKey& lane, SourceId source) const {
  return lane.source.value == 0 || lane.source == source;
}

// What a block holds from its record `record` on.
Result<Counter> TransactionImpl::size_from(BlockKey key, std::uint32_t record) const {
  const auto found = header(key);
  if (!found) {
    if (found.error().code == ErrorCode::kCorrupt) return Counter{};  // nobody knows any more
    return tl::unexpected(found.error());
  }
  if (record == 0) return Counter{found->records, found->body_raw};
  if (record >= found->records) return Counter{};
  Counter rest{found->records - record, 0};
  const auto stored = store_.read_in(txn_, key.number);
  const auto block = stored ? store_.decode(*stored) : tl::unexpected(stored.error());
  if (!block) {  // an unreadable block: its bytes in proportion
    rest.bytes = std::uint64_t{found->body_raw} * rest.records / found->records;
    return rest;
  }
  RecordReader reader(*block);
  Record r;
  std::uint64_t before = 0;
  for (std::uint32_t i = 0; i < record && reader.next(r); ++i) before += r.body.size() + 1;
  rest.bytes = found->body_raw - before;
  return rest;
}

// A position behind a block's last record stands in front of the next number.
Result<Position> TransactionImpl::normalized(Position position) const {
  if (position.record == 0) return position;
  const auto key = next_key(SourceId(0), position.block);
  if (!key || key->number != position.block) return Position{position.block + 1, 0};
  const auto found = header(*key);
  if (found && position.record >= found->records) return Position{position.block + 1, 0};
  return position;
}

// True where the lane has no record in [from, to): both normalized.
Result<bool> TransactionImpl::nothing_between(const LaneKey& lane, Position from,
                                              Position to) const {
  if (from >= to) return true;
  const auto key = next_key(lane.source, from.block);
  if (!key || key->number > to.block) return true;
  return key->number == to.block && to.record == 0;
}

Status TransactionImpl::add_lane(LaneKey key, Position start) {
  if (state_.lanes.contains(key)) return {};
  if (key.source.value != 0) EH_TRY(source(key.source));
  LaneState lane;
  lane.key = key;
  EH_ASSIGN(lane.cursor, normalized(start));
  for (auto block = next_key(key.source, lane.cursor.block); block;
       block = next_key(key.source, block->number + 1)) {
    const std::uint32_t record = block->number == lane.cursor.block ? lane.cursor.record : 0;
    EH_ASSIGN(const Counter held, size_from(*block, record));
    lane.committed += held;
  }
  state_.lanes[key] = lane;
  changed_lanes_.insert(key);
  return {};
}

Status TransactionImpl::erase_claims(const LaneKey& lane) {
  for (auto it = state_.claims.begin(); it != state_.claims.end();) {
    if (it->second.lane != lane) {
      ++it;
      continue;
    }
    EH_TRY(erase(keyspace::claim_key(it->first)));
    it = state_.claims.erase(it);
  }
  return {};
}

namespace {
tl::unexpected<Error> no_lane(const LaneKey& lane) {
  return fail(ErrorCode::kNotFound, "there is no cursor of sink {} over source {}", lane.sink.value,
              lane.source.value);
}
}  // namespace

Status TransactionImpl::drop_backlog(const LaneKey& key) {
  const auto lane = state_.lanes.find(key);
  if (lane == state_.lanes.end()) return no_lane(key);
  EH_TRY(erase_claims(key));
  lane->second.dropped[static_cast<std::size_t>(DropReason::kForgotten)] += lane->second.buffered();
  lane->second.cursor = {state_.counters.next_block, 0};
  changed_lanes_.insert(key);
  return {};
}

Status TransactionImpl::forget_lane(const LaneKey& lane) {
  if (!state_.lanes.contains(lane)) return no_lane(lane);
  EH_TRY(erase_claims(lane));
  std::vector<ClaimId> replays;
  for (const auto& [id, replay] : state_.replays)
    if (replay.lane == lane) replays.push_back(id);
  for (const ClaimId id : replays) EH_TRY(erase_replay(id));
  state_.lanes.erase(lane);
  changed_lanes_.erase(lane);
  return erase(keyspace::lane_key(lane));
}

Status TransactionImpl::forget_sink(SinkId sink) {
  std::vector<LaneKey> lanes;
  for (const auto& [key, lane] : state_.lanes)
    if (key.sink == sink) lanes.push_back(key);
  for (const LaneKey& key : lanes) EH_TRY(forget_lane(key));
  state_.sinks.erase(sink);
  forgotten_sinks_.insert(sink);
  return erase(keyspace::sink_key(sink));
}

Status TransactionImpl::forget_source(SourceId id) {
  EH_TRY(needs(keyspace::Feature::kFirstSequences, "forget a source"));
  for (const auto& [claim_id, claim] : state_.claims) {
    if (claim.lane.source.value != 0) continue;
    const auto block = next_key(id, claim.begin.block);
    if (block && Position{block->number, 0} < claim.end)
      return fail(ErrorCode::kBusy,
                  "source {} is just being delivered together with others: try "
                  "again when that is done, or forget the sink first",
                  id.value);
  }
  std::vector<LaneKey> lanes;
  for (const auto& [key, lane] : state_.lanes)
    if (key.source == id) lanes.push_back(key);
  for (const LaneKey& key : lanes) EH_TRY(forget_lane(key));
  while (const auto block = next_key(id, BlockNumber(0))) {
    EH_TRY(drop_from_lanes(*block, DropReason::kForgotten));
    EH_TRY(erase_block(*block));
  }
  // One of the same name may begin anew, and its objects must not have the names of these.
  if (const auto source = state_.sources.find(id); source != state_.sources.end())
    state_.counters.first_sequence =
        std::max(state_.counters.first_sequence, source->second.next_sequence);
  state_.sources.erase(id);
  changed_sources_.erase(id);
  forgotten_sources_.insert(id);
  return erase(keyspace::source_key(id));
}

// --- claims --------------------------------------------------------------------------------------

Claim* TransactionImpl::earliest_claim(const LaneKey& lane) {
  Claim* first = nullptr;
  for (auto& [id, claim] : state_.claims)
    if (claim.lane == lane && (first == nullptr || claim.begin < first->begin)) first = &claim;
  return first;
}

Status TransactionImpl::check_claim(const Claim& claim) const {
  const auto lane = state_.lanes.find(claim.lane);
  if (lane == state_.lanes.end())
    return fail(ErrorCode::kInvalid, "a claim of a lane that is not there (sink {}, source {})",
                claim.lane.sink.value, claim.lane.source.value);
  if (claim.begin >= claim.end || claim.begin < lane->second.cursor)
    return fail(ErrorCode::kInvalid,
                "a claim must begin at or after its lane's cursor, and end later");
  for (const auto& [id, other] : state_.claims)
    if (other.lane == claim.lane && claim.begin < other.end && other.begin < claim.end)
      return fail(ErrorCode::kInvalid, "a claim over records that claim {} has already", id.value);
  return {};
}

Status TransactionImpl::put_claim(const Claim& claim) {
  const std::string key = keyspace::claim_key(claim.id);
  EH_ASSIGN(const std::string value,
            store_.keys_.seal_value(key, keyspace::encode_claim(claim, state_.format)));
  return put(key, value);
}

Result<Claim> TransactionImpl::claim(Claim claim) {
  EH_ASSIGN(claim.begin, normalized(claim.begin));
  EH_ASSIGN(claim.end, normalized(claim.end));
  EH_TRY(check_claim(claim));
  claim.id = state_.counters.next_claim;
  claim.done = false;
  claim.upload = {};
  EH_TRY(put_claim(claim));
  ++state_.counters.next_claim;
  state_.claims[claim.id] = claim;
  return claim;
}

Status TransactionImpl::put_upload(ClaimId id, PartialUpload upload) {
  const auto found = state_.claims.find(id);
  if (found == state_.claims.end() || found->second.done)
    return fail(ErrorCode::kNotFound, "claim {} is not open", id.value);
  const auto too_long = [](const UploadPart& part) { return part.tag.size() > kMaxPartTag; };
  if (upload.id.size() > kMaxUploadId || upload.parts.size() > kMaxUploadParts ||
      std::ranges::any_of(upload.parts, too_long))
    return fail(ErrorCode::kInvalid, "an upload of claim {} with {} parts, or names too long",
                id.value, upload.parts.size());
  found->second.upload = std::move(upload);
  return put_claim(found->second);
}

Status TransactionImpl::acknowledge(const Acknowledgement& ack) {
  if (const auto replay = state_.replays.find(ack.claim); replay != state_.replays.end())
    return acknowledge_replay(replay->second, ack);
  const auto found = state_.claims.find(ack.claim);
  if (found == state_.claims.end() || found->second.done)
    return fail(ErrorCode::kNotFound, "claim {} is not open", ack.claim.value);
  Claim& claim = found->second;
  Counter dead;
  for (const DeadLetter& letter : ack.dead) dead += {1, letter.body.size() + 1};
  Counter undelivered = dead;
  undelivered += ack.unreadable;
  if (undelivered.records > claim.size.records || undelivered.bytes > claim.size.bytes)
    return fail(ErrorCode::kInvalid, "claim {} cannot lack {} records", ack.claim.value,
                undelivered.records);
  EH_TRY(bury(ack.dead, claim));

  LaneState& lane = state_.lanes.at(claim.lane);
  const Counter rest{claim.size.records - undelivered.records,
                     claim.size.bytes - undelivered.bytes};
  lane.dead_lettered += dead;
  lane.dropped[static_cast<std::size_t>(DropReason::kCorrupt)] += ack.unreadable;
  lane.delivered += rest;
  if (rest.records > 0) lane.last_delivery = store_.clock_.wall();
  lane.possible_duplicates += ack.possible_duplicates;
  changed_lanes_.insert(lane.key);
  claim.done = true;
  claim.upload = {};
  EH_TRY(settle_done_claims(lane));
  if (const auto still = state_.claims.find(ack.claim); still != state_.claims.end())
    EH_TRY(put_claim(still->second));
  return {};
}

// Moves the cursor past the lane's first claims as far as they are done.
Status TransactionImpl::settle_done_claims(LaneState& lane) {
  for (Claim* first = earliest_claim(lane.key); first != nullptr && first->done;
       first = earliest_claim(lane.key)) {
    EH_ASSIGN(const bool next, nothing_between(lane.key, lane.cursor, first->begin));
    if (!next) return {};
    lane.cursor = std::max(lane.cursor, first->end);
    EH_TRY(erase(keyspace::claim_key(first->id)));
    state_.claims.erase(first->id);
  }
  return {};
}

Result<std::vector<Claim>> TransactionImpl::recut(ClaimId id, const std::vector<Claim>& parts,
                                                  std::uint64_t possible_duplicates) {
  const auto found = state_.claims.find(id);
  if (found == state_.claims.end() || found->second.done)
    return fail(ErrorCode::kNotFound, "claim {} is not open", id.value);
  const Claim whole = found->second;
  std::vector<Claim> cut = parts;
  Position at = whole.begin;
  Counter size;
  for (Claim& part : cut) {
    EH_ASSIGN(part.begin, normalized(part.begin));
    EH_ASSIGN(part.end, normalized(part.end));
    part.lane = whole.lane;
    part.done = false;
    part.upload = {};
    EH_ASSIGN(const bool adjoins, nothing_between(whole.lane, at, part.begin));
    if (!adjoins || part.begin < at || part.end <= part.begin)
      return fail(ErrorCode::kInvalid, "the parts of claim {} leave a gap or overlap", id.value);
    at = part.end;
    size += part.size;
  }
  EH_ASSIGN(const bool complete, nothing_between(whole.lane, at, whole.end));
  if (cut.empty() || at > whole.end || !complete || size != whole.size)
    return fail(ErrorCode::kInvalid, "the parts of claim {} are not all of it", id.value);
  if (possible_duplicates > 0) {
    state_.lanes.at(whole.lane).possible_duplicates += possible_duplicates;
    changed_lanes_.insert(whole.lane);
  }
  EH_TRY(erase(keyspace::claim_key(id)));
  state_.claims.erase(id);
  for (Claim& part : cut) {
    part.id = state_.counters.next_claim;
    ++state_.counters.next_claim;
    EH_TRY(put_claim(part));
    state_.claims[part.id] = part;
  }
  return cut;
}

}  // namespace edgehose
