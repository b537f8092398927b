// What a courier does with a verdict.
#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "sinks/delivery/courier.h"
#include "sinks/delivery/dead_letters.h"

namespace edgehose {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// What the claim promises and the object does not hold.
Counter unreadable(const Claim& claim, const ObjectSummary& body) {
  if (body.missing_records == 0) return {};
  return {claim.size.records - std::min(claim.size.records, body.encoded.records),
          claim.size.bytes - std::min(claim.size.bytes, body.encoded.bytes)};
}

}  // namespace

void Courier::conclude(Held& held, const Verdict& verdict, Instant now) {
  std::visit(Overloaded{[&](const Delivered&) { delivered(held); },
                        [&](const Retry& v) { retry(held, v, now); },
                        [&](const Rejected& v) { rejected(held, v, now); },
                        [&](const TooLarge& v) { too_large(held, v, now); },
                        [&](const Park& v) { park(v, counts(held), now); }},
             verdict);
}

void Courier::delivered(Held& held) {
  count_delivery();
  refused_ = 0;
  ++report_.sent_objects;
  recovered();
  settle(held, {});
}

void Courier::count_delivery() {
  ++deliveries_;
  report_.last_success = clock_.wall();
}

// Ends the claim: the held one is gone afterwards.
void Courier::settle(Held& held, std::vector<DeadLetter> dead) {
  const Claim& claim = held.batch.claim;
  Settled outcome;
  outcome.sink = claim.lane.sink;
  outcome.ack.claim = claim.id;
  outcome.ack.dead = std::move(dead);
  if (held.maybe_arrived && !options_.exactly_once)
    outcome.ack.possible_duplicates = claim.size.records;
  if (held.summary) {
    outcome.sent_bytes = held.summary->object_bytes;
    outcome.ack.unreadable = unreadable(claim, *held.summary);
    if (outcome.ack.unreadable.records > 0)
      log::error("sink {}: {} of the {} records of {} are damaged in the buffer and were left out",
                 sink_->name(), outcome.ack.unreadable.records, claim.size.records, claim.key);
  }
  report_.sent_bytes += outcome.sent_bytes;
  outcomes_.post(std::move(outcome));
  held_.erase(claim.id);
}

// Whether this failure tells something new about the sink: the answers to requests that were under
// way when it failed do not.
bool Courier::counts(const Held& held) const {
  return state_ == State::kOpen || held.round == round_;
}

void Courier::retry(Held& held, const Retry& verdict, Instant now) {
  ++report_.retries;
  held.maybe_arrived = held.maybe_arrived || verdict.maybe_arrived;
  const bool others_delivered = held.failed_at && deliveries_ > *held.failed_at;
  held.failed_at = deliveries_;
  if (!counts(held)) return;
  if (state_ == State::kOpen && others_delivered && !verdict.after) {
    ++held.own_failures;
    held.not_before = now + full_jitter(backoff_ceiling(options_.retry, held.own_failures), random_);
    if (held.own_failures == 1)
      log::warn("sink {}: {} fails while others are delivered: {}; it is kept and retried",
                sink_->name(), held.batch.claim.key, verdict.reason);
    return;
  }
  ++failures_;
  const Duration ceiling = backoff_ceiling(options_.retry, failures_);
  const Duration pause = verdict.after ? obey(*verdict.after, ceiling, random_)
                                       : full_jitter(ceiling, random_);
  failed(State::kBackingOff, verdict.reason, now + pause);
}

void Courier::park(const Park& verdict, bool counted, Instant now) {
  if (state_ == State::kParked) {
    if (!counted) return;
    ++probes_;
  } else {
    probes_ = 0;
  }
  failed(State::kParked, verdict.reason,
         now + verdict.probe_every.value_or(probe_interval(probes_)));
}

void Courier::rejected(Held& held, const Rejected& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  const bool whole = verdict.records.empty() || verdict.records.size() >= claim.size.records;
  if (!whole) {
    refused_ = 0;
  } else {
    refused_ = verdict.reason == refusal_ ? std::min(refused_ + 1, kRefusedInARow) : 1;
    refusal_ = verdict.reason;
    if (refused_ >= kRefusedInARow)
      return park({fmt::format("{} batches in a row were refused whole: {}", kRefusedInARow,
                               verdict.reason)},
                  counts(held), now);
  }
  bury(held, verdict, now);
}

void Courier::too_large(Held& held, const TooLarge& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  if (claim.size.records <= 1) return bury(held, Rejected{{}, verdict.reason}, now);
  log::info("sink {}: {} is too large ({}): halved", sink_->name(), claim.key, verdict.reason);
  recovered();
  outcomes_.post(Halve{claim.lane.sink, claim.id});
  held_.erase(claim.id);
}

// Settles a claim with what was refused as dead letters.
void Courier::bury(Held& held, const Rejected& verdict, Instant now) {
  auto dead = collect_dead_letters(
      store_, held.batch.claim, {verdict.records, verdict.reason, held.attempts, clock_.wall()});
  if (!dead) return retry(held, Retry{dead.error().message}, now);
  log::warn("sink {}: {} records of {} were refused and go to the dead letters: {}", sink_->name(),
            dead->size(), held.batch.claim.key, verdict.reason);
  if (dead->size() < held.batch.claim.size.records) count_delivery();
  recovered();
  settle(held, std::move(*dead));
}

void Courier::recovered() {
  if (state_ != State::kOpen)
    log::info("sink {}: delivers again, after {}", sink_->name(),
              format_duration(Duration(clock_.wall().value - report_.error_since.value)));
  state_ = State::kOpen;
  failures_ = 0;
  report_.last_error.clear();
}

void Courier::failed(State state, const std::string& reason, Instant next) {
  const bool news = state != state_ || (state == State::kParked && reason != report_.last_error);
  if (state_ == State::kOpen) report_.error_since = clock_.wall();
  if (news && state == State::kParked)
    log::error("sink {}: parked: {}. Everything is kept, and it is tried again",
               sink_->name(), reason);
  else if (news)
    log::warn("sink {}: {}. Everything is kept and retried", sink_->name(), reason);
  state_ = state;
  report_.last_error = reason;
  next_attempt_ = next;
  ++round_;
}

}  // namespace edgehose
