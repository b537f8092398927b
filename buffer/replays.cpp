// Replays inside a Transaction: dead letters that are delivered again. A letter stays one until the
// acknowledgement of its replay: delivered, it moves from dead_lettered to delivered; refused
// again, it stays with the new reason.
#include <algorithm>
#include <map>
#include <set>

#include "buffer/store_impl.h"

namespace edgehose {

Status TransactionImpl::put_replay(const Claim& replay) {
  const std::string key = keyspace::replay_key(replay.id);
  EH_ASSIGN(const std::string value, store_.keys_.seal_value(key, keyspace::encode_replay(replay)));
  EH_TRY(put(key, value));
  state_.replays[replay.id] = replay;
  return {};
}

Status TransactionImpl::erase_replay(ClaimId id) {
  EH_TRY(erase(keyspace::replay_key(id)));
  state_.replays.erase(id);
  return {};
}

// `letters` in the order of their sequences.
Result<Claim> TransactionImpl::add_replay(LaneKey lane, const std::vector<DeadLetter>& letters) {
  Claim replay;
  replay.lane = lane;
  replay.first = letters.front().sequence;
  replay.last = letters.back().sequence;
  replay.first_time = letters.front().time;
  for (const DeadLetter& letter : letters) {
    replay.letters.push_back(letter.id);
    replay.size += letter.size();
    replay.first_time = std::min(replay.first_time, letter.time);
  }
  replay.id = state_.counters.next_claim;
  EH_TRY(put_replay(replay));
  ++state_.counters.next_claim;
  return replay;
}

Result<Claim> TransactionImpl::replay(std::vector<std::uint64_t> ids) {
  EH_TRY(needs(keyspace::Feature::kReplays, "replay dead letters"));
  if (ids.empty() || ids.size() > kReplayRecords)
    return fail(ErrorCode::kInvalid, "a replay holds 1 to {} dead letters", kReplayRecords);
  if (state_.replays.size() >= kMaxReplays)
    return fail(ErrorCode::kFull, "{} replays wait already", kMaxReplays);
  std::set<std::uint64_t> busy;
  for (const auto& [id, other] : state_.replays)
    busy.insert(other.letters.begin(), other.letters.end());
  std::vector<DeadLetter> letters;
  for (const std::uint64_t id : ids) {
    EH_ASSIGN(auto found, letter(id));
    if (!found) return fail(ErrorCode::kNotFound, "there is no dead letter {}", id);
    if (!busy.insert(id).second)
      return fail(ErrorCode::kBusy, "dead letter {} is being replayed already", id);
    if (!letters.empty() && found->lane != letters.front().lane)
      return fail(ErrorCode::kInvalid, "a replay holds dead letters of one sink and source");
    letters.push_back(std::move(*found));
  }
  if (!state_.lanes.contains(letters.front().lane))
    return fail(ErrorCode::kNotFound, "the sink or the source of dead letter {} was forgotten",
                ids.front());
  std::ranges::sort(letters, {}, [](const DeadLetter& l) { return std::pair(l.sequence, l.id); });
  return add_replay(letters.front().lane, letters);
}

Result<Claim> TransactionImpl::begin_replay(ClaimId id, const std::string& key,
                                            const std::string& rendering) {
  if (key.empty()) return fail(ErrorCode::kInvalid, "replay {} needs a key", id.value);
  const auto found = state_.replays.find(id);
  if (found == state_.replays.end())
    return fail(ErrorCode::kNotFound, "replay {} is not open", id.value);
  Claim begun = found->second;
  begun.key = key;
  begun.rendering = rendering;
  EH_TRY(put_replay(begun));
  return begun;
}

// Letters that are gone by now are left out. One left stays as it is, under a key of its own again.
Status TransactionImpl::halve_replay(ClaimId id, std::uint64_t possible_duplicates) {
  const auto found = state_.replays.find(id);
  if (found == state_.replays.end())
    return fail(ErrorCode::kNotFound, "replay {} is not open", id.value);
  const LaneKey lane = found->second.lane;
  std::vector<DeadLetter> letters;
  for (const std::uint64_t letter_id : found->second.letters) {
    EH_ASSIGN(auto there, letter(letter_id));
    if (there) letters.push_back(std::move(*there));
  }
  EH_TRY(erase_replay(id));
  if (const auto counted = state_.lanes.find(lane); counted != state_.lanes.end()) {
    counted->second.possible_duplicates += possible_duplicates;
    changed_lanes_.insert(lane);
  }
  const auto middle = letters.begin() + static_cast<std::ptrdiff_t>(letters.size() / 2);
  for (const auto& half :
       {std::vector(letters.begin(), middle), std::vector(middle, letters.end())}) {
    if (half.empty()) continue;
    const auto added = add_replay(lane, half);
    if (!added) return tl::unexpected(added.error());
  }
  return {};
}

Status TransactionImpl::acknowledge_replay(const Claim& open, const Acknowledgement& ack) {
  const Claim replay = open;
  std::map<std::uint64_t, const DeadLetter*> refused;
  for (const DeadLetter& letter : ack.dead) refused[letter.id] = &letter;
  Counter delivered;
  for (const std::uint64_t id : replay.letters) {
    EH_ASSIGN(const auto there, letter(id));
    if (!there) continue;  // purged meanwhile, or damaged: it was in no request either
    if (const auto again = refused.find(id); again != refused.end()) {
      EH_TRY(refuse_again(*there, *again->second));
      continue;
    }
    EH_TRY(erase_letter(id));
    delivered += there->size();
  }
  EH_TRY(erase_replay(replay.id));
  const auto lane = state_.lanes.find(replay.lane);
  if (lane == state_.lanes.end()) return {};
  lane->second.delivered += take_at_most(lane->second.dead_lettered, delivered);
  if (delivered.records > 0) lane->second.last_delivery = store_.clock_.wall();
  lane->second.possible_duplicates += ack.possible_duplicates;
  changed_lanes_.insert(lane->first);
  return {};
}

// A longer reason is cut where the quota has no room for it, so that this always succeeds.
Status TransactionImpl::refuse_again(DeadLetter letter, const DeadLetter& refusal) {
  const std::uint64_t room = store_.options_.dead_letter_quota -
                             std::min(store_.options_.dead_letter_quota, state_.dead_letter_bytes);
  const auto longest = static_cast<std::size_t>(
      std::min<std::uint64_t>(kMaxDeadLetterReason, letter.reason.size() + room / 2));
  letter.attempts += refusal.attempts;
  letter.given_up = refusal.given_up;
  letter.reason = refusal.reason.substr(0, longest);
  return put_letter(letter);
}

}  // namespace edgehose
