// Dead letters: records that a sink refused for good, kept within a quota of their own.
#include "buffer/store_impl.h"

namespace edgehose {
namespace {
constexpr std::size_t kMaxReason = 1024;
}

// All of them or none: the quota is checked before anything is written.
Status TransactionImpl::bury(const std::vector<DeadLetter>& letters, const Claim& claim) {
  std::vector<std::string> values;
  std::uint64_t bytes = 0;
  std::uint64_t id = state_.counters.next_dead_letter;
  for (DeadLetter letter : letters) {
    letter.id = id++;
    letter.lane = claim.lane;
    if (letter.reason.size() > kMaxReason) letter.reason.resize(kMaxReason);
    EH_ASSIGN(std::string value, store_.keys_.seal_value(keyspace::dead_letter_key(letter.id),
                                                         keyspace::encode_dead_letter(letter)));
    bytes += value.size();
    values.push_back(std::move(value));
  }
  if (!letters.empty() && state_.dead_letter_bytes + bytes > store_.options_.dead_letter_quota)
    return fail(ErrorCode::kFull,
                "the dead letters' quota of {} bytes is full: look at them with "
                "'edgehose dead-letters list', replay or purge them",
                store_.options_.dead_letter_quota);
  for (const std::string& value : values) {
    EH_TRY(put(keyspace::dead_letter_key(state_.counters.next_dead_letter), value));
    grown_ += static_cast<std::int64_t>(space_of(value.size()));
    ++state_.counters.next_dead_letter;
    ++state_.dead_letters;
    state_.dead_letter_bytes += value.size();
  }
  return {};
}

Status TransactionImpl::erase_dead_letter(std::uint64_t id) {
  const std::string key = keyspace::dead_letter_key(id);
  EH_ASSIGN(const auto value, txn_.get(key));
  if (!value) return fail(ErrorCode::kNotFound, "there is no dead letter {}", id);
  const std::uint64_t size = value->size();
  EH_TRY(erase(key));
  --state_.dead_letters;
  state_.dead_letter_bytes -= size;
  return {};
}

}  // namespace edgehose
