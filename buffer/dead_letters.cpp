// Dead letters: records that a sink refused for good, kept within a quota of their own.
#include <algorithm>

#include "agent/base/text.h"
#include "buffer/store_impl.h"

namespace edgehose {

// Moves `wanted` out of a counter, or what it has: letters that an earlier release purged are still
// counted, those of a salvage may not be.
Counter take_at_most(Counter& from, const Counter& wanted) {
  const Counter taken{std::min(from.records, wanted.records), std::min(from.bytes, wanted.bytes)};
  from.records -= taken.records;
  from.bytes -= taken.bytes;
  return taken;
}

// All of them or none: the quota is checked before anything is written.
Status TransactionImpl::bury(const std::vector<DeadLetter>& letters, const Claim& claim) {
  std::vector<std::string> values;
  std::uint64_t bytes = 0;
  std::uint64_t id = state_.counters.next_dead_letter;
  for (DeadLetter letter : letters) {
    letter.id = id++;
    letter.lane = claim.lane;
    if (letter.reason.size() > kMaxDeadLetterReason) letter.reason.resize(kMaxDeadLetterReason);
    EH_ASSIGN(std::string value,
              store_.keys_.seal_value(keyspace::dead_letter_key(letter.id),
                                      keyspace::encode_dead_letter(letter, state_.format)));
    bytes += value.size();
    values.push_back(std::move(value));
  }
  if (!letters.empty() && state_.dead_letter_bytes + bytes > store_.options_.dead_letter_quota)
    return fail(ErrorCode::kFull,
                "the dead letters' quota of {} is full: look at them with "
                "'edgehose dead-letters list', replay or purge them",
                format_size(store_.options_.dead_letter_quota));
  for (const std::string& value : values) {
    EH_TRY(put(keyspace::dead_letter_key(state_.counters.next_dead_letter), value));
    grown_ += static_cast<std::int64_t>(space_of(value.size()));
    ++state_.counters.next_dead_letter;
    ++state_.dead_letters;
    state_.dead_letter_bytes += value.size();
  }
  return {};
}

// None where it is gone or cannot be read: the same for everybody who asks.
Result<std::optional<DeadLetter>> TransactionImpl::letter(std::uint64_t id) const {
  const std::string key = keyspace::dead_letter_key(id);
  EH_ASSIGN(const auto value, txn_.get(key));
  if (!value) return std::nullopt;
  const auto plain = store_.keys_.open_value(key, *value);
  if (!plain) return std::nullopt;
  auto decoded = keyspace::decode_dead_letter(key, *plain);
  if (!decoded) return std::nullopt;
  return std::optional<DeadLetter>(std::move(*decoded));
}

// In the place of what was there under its id.
Status TransactionImpl::put_letter(const DeadLetter& letter) {
  const std::string key = keyspace::dead_letter_key(letter.id);
  EH_ASSIGN(const std::string value,
            store_.keys_.seal_value(key, keyspace::encode_dead_letter(letter, state_.format)));
  EH_TRY(erase_letter(letter.id));
  EH_TRY(put(key, value));
  grown_ += static_cast<std::int64_t>(space_of(value.size()));
  ++state_.dead_letters;
  state_.dead_letter_bytes += value.size();
  return {};
}

Status TransactionImpl::erase_letter(std::uint64_t id) {
  const std::string key = keyspace::dead_letter_key(id);
  EH_ASSIGN(const auto value, txn_.get(key));
  if (!value) return fail(ErrorCode::kNotFound, "there is no dead letter {}", id);
  const std::uint64_t size = value->size();
  EH_TRY(erase(key));
  frees_pages_ = true;
  grown_ -= static_cast<std::int64_t>(space_of(size));
  --state_.dead_letters;
  state_.dead_letter_bytes -= size;
  return {};
}

Status TransactionImpl::erase_dead_letter(std::uint64_t id) {
  EH_ASSIGN(const auto gone, letter(id));
  EH_TRY(erase_letter(id));
  const auto lane = gone ? state_.lanes.find(gone->lane) : state_.lanes.end();
  if (lane == state_.lanes.end()) return {};
  const Counter moved = take_at_most(lane->second.dead_lettered, gone->size());
  lane->second.dropped[static_cast<std::size_t>(DropReason::kForgotten)] += moved;
  changed_lanes_.insert(lane->first);
  return {};
}

}  // namespace edgehose
