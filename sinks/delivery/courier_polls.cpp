// What a destination has taken and acknowledges later: asked for until it says what became of it.
#include <algorithm>
#include <utility>

#include "agent/base/check.h"
#include "sinks/delivery/courier.h"

namespace edgehose {
namespace {

// So long others are not sent for the sake of a question; a host that does not answer holds nobody
// up for longer.
constexpr Duration kLongestQuestion = std::chrono::seconds(5);

}  // namespace

// All of its group at once, whether they are due or not: from then on they are due together.
void Courier::ask_for(Held& held, Instant now) {
  std::vector<Held*> claims;
  std::vector<const Batch*> batches;
  for (auto& [id, other] : held_) {
    if (other.request || other.batch.receipt.empty() || other.group != held.group) continue;
    if (other.told.all || waits_for_batches(other)) continue;
    if (may_be_given_anew(other, 1)) question_until_ = now + kLongestQuestion;
    claims.push_back(&other);
    batches.push_back(&other.batch);
  }
  std::optional<Request> request = sink_->poll(batches, *note_);
  if (request) return begin_request(claims, std::move(*request), nullptr);
  question_until_ = {};
  for (Held* const other : claims) {
    other->maybe_arrived = true;
    drop_receipt(*other);
  }
  send(held, now);
}

// It was taken, or asked for and not acknowledged yet.
void Courier::poll(Held& held, const Poll& verdict, Instant now) {
  EH_CHECK(!verdict.receipt.empty());
  if (verdict.failure.empty()) answered(held, now);
  take_receipt(held, verdict);
  rest(verdict.pause, now);
  held.waits_since = now;
  if (!verdict.failure.empty()) return back_off(held, verdict.failure, std::nullopt, now);
  held.not_before = now + std::clamp(verdict.after, Duration::zero(), kLongestServerWish);
  at_ease(held);
}

// Two that have the same one tell nothing. A place that is not above one that was known before the
// batch was sent says that the destination has begun anew: what it gave before it has forgotten,
// and gives again.
void Courier::take_receipt(Held& held, const Poll& verdict) {
  const bool fresh = held.batch.receipt.empty();
  held.batch.receipt = verdict.receipt;
  held.group = verdict.group;
  held.serial = verdict.serial;
  Group& group = groups_[held.group];
  if (fresh) held.receipt_number = ++receipts_;
  const bool anew = fresh && held.serial && group.highest && *held.serial <= *group.highest &&
                    group.highest_number <= held.receipts_then;
  for (auto& [id, other] : held_) {
    if (&other == &held || other.group != held.group || other.batch.receipt.empty()) continue;
    if (other.batch.receipt == held.batch.receipt)
      held.batch.ambiguous = other.batch.ambiguous = true;
    if (anew && other.receipt_number <= held.receipts_then) other.batch.ambiguous = true;
  }
  if (may_be_given_anew(held, 0)) held.batch.ambiguous = true;
  forget_groups();
  if (!held.serial || !fresh) return;
  if (!anew && group.highest && *group.highest > *held.serial) return;
  group.highest = held.serial;
  group.highest_number = held.receipt_number;
}

void Courier::drop_receipt(Held& held) {
  if (held.batch.receipt.empty()) return;
  ++held.batch.spent_receipts;
  held.batch.spent_receipt = held.batch.receipt;
  end_receipt(held);
}

void Courier::end_receipt(Held& held) {
  held.batch.receipt.clear();
  held.serial.reset();
  held.batch.ambiguous = false;
  held.batch.held_back = {};
  held.group.clear();
  held.waits_since.reset();
  held.not_before = {};
  forget_groups();
}

// Of which nothing is asked for any more.
void Courier::forget_groups() {
  std::erase_if(groups_, [&](const auto& group) {
    return std::ranges::none_of(held_, [&](const auto& held) {
      return !held.second.batch.receipt.empty() && held.second.group == group.first;
    });
  });
}

// A batch ended that may have been taken. Of which group, is not known: each has one more.
void Courier::sent_unclear() {
  for (auto& [name, group] : groups_) ++group.unclear;
  for (auto& [id, held] : held_)
    if (may_be_given_anew(held, 0)) held.batch.ambiguous = true;
}

// What is said of a receipt may be of the batch that was sent while it was asked for.
void Courier::sent_meanwhile() {
  const std::uint64_t batches = batches_under_way();
  for (auto& [id, held] : held_)
    if (held.request && may_be_given_anew(held, batches)) held.overlapped = true;
}

std::uint64_t Courier::batches_under_way() const {
  return static_cast<std::uint64_t>(std::ranges::count_if(under_way_, [&](const auto& request) {
    return held_.at(request.second.front()).batch.receipt.empty();
  }));
}

// Whether a destination that begins anew may have come so far with what nobody knows to be taken,
// were `batches` more among that.
bool Courier::may_be_given_anew(const Held& held, std::uint64_t batches) const {
  if (held.batch.receipt.empty() || !held.serial) return false;
  const auto group = groups_.find(held.group);
  return group != groups_.end() && *held.serial < group->second.unclear + batches;
}

// What is ambiguous already has nothing to wait for.
bool Courier::waits_for_batches(const Held& held) const {
  return !held.batch.ambiguous && may_be_given_anew(held, batches_under_way());
}

// A receipt that must not be asked for while anything is sent would wait for ever where there is
// always something to send: once it is due, nothing more is begun before. While the sink fails
// there is one request at a time anyway.
bool Courier::is_asked_first(Instant now) const {
  if (state_ != State::kOpen) return false;
  return std::ranges::any_of(held_, [&](const auto& entry) {
    const Held& held = entry.second;
    return !held.request && !held.batch.ambiguous && may_be_given_anew(held, 1) && due(held) <= now;
  });
}

}  // namespace edgehose
