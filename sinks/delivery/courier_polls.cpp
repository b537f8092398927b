// What a destination has taken and acknowledges later: asked for until it says what became of it.
#include <algorithm>
#include <utility>

#include "agent/base/check.h"
#include "sinks/delivery/courier.h"

namespace edgehose {

// All of its group at once, whether they are due or not: from then on they are due together.
void Courier::ask_for(Held& held, Instant now) {
  std::vector<Held*> claims;
  std::vector<const Batch*> batches;
  for (auto& [id, other] : held_) {
    if (other.request || other.batch.receipt.empty() || other.group != held.group) continue;
    claims.push_back(&other);
    batches.push_back(&other.batch);
  }
  std::optional<Request> request = sink_->poll(batches, *note_);
  if (request) return begin_request(claims, std::move(*request), nullptr);
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
  for (auto& [id, other] : held_) {
    if (&other == &held || other.group != verdict.group || other.batch.receipt != verdict.receipt)
      continue;
    held.batch.ambiguous = other.batch.ambiguous = true;
  }
  rest(verdict.pause, now);
  held.batch.receipt = verdict.receipt;
  held.group = verdict.group;
  held.waits_since = now;
  if (!verdict.failure.empty()) return back_off(held, verdict.failure, std::nullopt, now);
  held.not_before = now + std::clamp(verdict.after, Duration::zero(), kLongestServerWish);
  at_ease(held);
}

void Courier::drop_receipt(Held& held) {
  if (held.batch.receipt.empty()) return;
  ++held.batch.spent_receipts;
  held.batch.spent_receipt = std::exchange(held.batch.receipt, {});
  held.batch.ambiguous = false;
  held.batch.held_back = {};
  held.group.clear();
  held.waits_since.reset();
  held.not_before = {};
}

}  // namespace edgehose
