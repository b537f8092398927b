// What a courier does with a verdict.
#include "agent/base/log_event.h"
#include "agent/base/text.h"
#include "sinks/delivery/courier.h"

namespace edgehose {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

void Courier::conclude(Held& held, const Verdict& verdict, Instant now) {
  std::visit(Overloaded{[&](const Delivered& v) { delivered(held, v, now); },
                        [&](const Retry& v) { retry(held, v, now); },
                        [&](const Rejected& v) { rejected(held, v, now); },
                        [&](const TooLarge& v) { too_large(held, v, now); },
                        [&](const KeyRefused& v) { key_refused(held, v, now); },
                        [&](const Park& v) { parked(held, v, now); },
                        [&](const Partly& v) { partly(held, v, now); },
                        [&](const Poll& v) { poll(held, v, now); }},
             verdict);
}

// Whether this failure tells something new about the sink: the answers to requests that were under
// way when it failed do not.
bool Courier::counts(const Held& held) const {
  return state_ == State::kOpen || held.round == round_;
}

// Whether it failed again although others were delivered meanwhile: it is the claim, not the sink.
bool Courier::fails_alone(Held& held) {
  const bool others_delivered = held.failed_at && deliveries_ > *held.failed_at;
  held.failed_at = deliveries_;
  return state_ == State::kOpen && others_delivered;
}

void Courier::wait_alone(Held& held, const std::string& reason, Duration pause, Instant now) {
  ++held.own_failures;
  held.not_before = now + pause;
  const bool news = held.own_error.empty();
  if (news) held.own_error_since = clock_.wall();
  held.own_error = reason;
  if (!news || !alone_lines_.pass(now)) return;
  log::warn("sink {}: {} is held back, and others go on: {}; it is kept and retried", sink_->name(),
            held.batch.claim.key, reason);
}

// It fails no more.
void Courier::at_ease(Held& held) {
  past(held.own_error);
  held.own_error.clear();
  held.own_failures = 0;
  held.parked_alone = 0;
}

// What was taken and is not there any more may be there nevertheless.
void Courier::retry(Held& held, const Retry& verdict, Instant now) {
  held.maybe_arrived = held.maybe_arrived || verdict.maybe_arrived || !held.batch.receipt.empty();
  held.batch.wrong_there = held.batch.wrong_there || verdict.wrong_there;
  held.parked_alone = 0;
  drop_receipt(held);
  back_off(held, verdict.reason, verdict.after, now);
}

void Courier::back_off(Held& held, const std::string& reason, std::optional<Duration> after,
                       Instant now) {
  ++report_.retries;
  const bool alone = fails_alone(held);
  if (!counts(
          held)) {  // it was under way when the sink failed; what the server wishes counts still
    if (after) next_attempt_ = std::max(next_attempt_, now + obey(*after, {}, random_));
    return;
  }
  if (alone && !after) {
    const Duration longest = backoff_ceiling(options_.retry, held.own_failures + 1);
    return wait_alone(held, reason, full_jitter(longest, random_), now);
  }
  ++failures_;
  const Duration ceiling = backoff_ceiling(options_.retry, failures_);
  const Duration pause = after ? obey(*after, ceiling, random_) : full_jitter(ceiling, random_);
  failed(held, State::kBackingOff, reason, now, now + pause);
}

// What something on the way always refuses, of this batch alone, has a record in it that it is
// about: found by halving. Where keys are names, a person may have to let one through.
void Courier::parked(Held& held, const Park& verdict, Instant now) {
  if (verdict.of_batch && is_given_up_alone(held))
    return too_large(held, TooLarge{verdict.reason}, now);
  park(held, verdict, now);
}

bool Courier::is_given_up_alone(Held& held) {
  const bool alone = state_ == State::kOpen && held.failed_at && deliveries_ > *held.failed_at;
  if (!alone || !held.batch.receipt.empty() || options_.recognises == Recognises::kKey)
    return false;
  return ++held.parked_alone >= (sent_records(held) <= 1 ? kOneParkedAlone : kParkedAlone);
}

void Courier::park(Held& held, const Park& verdict, Instant now) {
  const bool alone = fails_alone(held);
  if (state_ == State::kParked && !counts(held)) return;
  if (alone) {
    const Duration pause = probe_interval(held.own_failures, random_);
    return wait_alone(held, verdict.reason, verdict.probe_every.value_or(pause), now);
  }
  probes_ = state_ == State::kParked ? probes_ + 1 : 0;
  failed(held, State::kParked, verdict.reason, now,
         now + verdict.probe_every.value_or(probe_interval(probes_, random_)));
}

// What would double its records, if it has arrived, waits for a person.
void Courier::park_unsure(Held& held, std::string_view what, std::string_view reason, Instant now) {
  park(held,
       Park{fmt::format("{}: {}, since an earlier attempt may have arrived: {}",
                        held.batch.claim.key, what, reason)},
       now);
}

// Cut anew, or given up, its records may go under other keys: right only where nothing arrived
// under the old one, or where the destination tells records apart, or nothing at all. Whether an
// earlier life's attempt did, only a sink can know: it asks, or its destination's rules never
// change.
bool Courier::may_cut_anew(const Held& held, bool absent) const {
  return absent || !held.maybe_arrived || options_.recognises != Recognises::kKey;
}

void Courier::too_large(Held& held, const TooLarge& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  held.maybe_arrived = held.maybe_arrived || verdict.maybe_arrived;
  const std::uint64_t sent = verdict.unsent ? left_records(held.batch) : sent_records(held);
  if (sent <= 1)
    return rejected(held, Rejected{{}, verdict.reason, "too large", verdict.absent}, now);
  if (!may_cut_anew(held, verdict.absent))
    return park_unsure(held, "too large, and not halved", verdict.reason, now);
  if (const auto count = halving_lines_.pass(now))
    log::info("sink {}: {} is halved: {} ({} since this was last told)", sink_->name(), claim.key,
              verdict.reason, *count);
  // Where everything is refused, one more refusal does not open the sink again.
  if (!verdict.unsent && refused_ < kRefusedInARow) recovered(now);
  outcomes_.post(Halve{claim.lane.sink, claim.id, sent_anew(held)});
  forget(held);
}

// Another key where there is one: by the config of today, or as the sink has learned from the
// refusal.
void Courier::key_refused(Held& held, const KeyRefused& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  std::string key = present_key(held.batch);
  if (key == claim.key || !may_cut_anew(held, verdict.absent))
    return park(held,
                Park{fmt::format("{} can never be the name of a batch there: {}. Change what names "
                                 "them (\"prefix\")",
                                 claim.key, verdict.reason)},
                now);
  if (const auto count = key_lines_.pass(now))
    log::warn(
        "sink {}: the destination never takes the name {}: {}. It is sent as {} ({} since this "
        "was last told)",
        sink_->name(), claim.key, verdict.reason, key, *count);
  recovered(now);
  outcomes_.post(Rekey{claim.lane.sink, claim.id, std::move(key)});
  forget(held);
}

void Courier::past(const std::string& error) {
  if (error.empty()) return;
  report_.past_error = error;
  report_.past_error_at = clock_.wall();
}

// Where what is sent is refused for now, an acknowledgement of the rest says nothing of that.
void Courier::answered(const Held& held, Instant now) {
  if (held.batch.receipt.empty() || asking_fails_) recovered(now);
}

void Courier::recovered(Instant now) {
  if (failure_told_)
    log::event(log::Level::kInfo, "sink {}: delivers again, after {}", sink_->name(),
               format_duration(now - failing_since_));
  failure_told_ = false;
  state_ = State::kOpen;
  failures_ = 0;
  report_.failed_in_a_row = 0;
  past(report_.last_error);
  report_.last_error.clear();
}

// What it has taken is asked for all the same.
void Courier::rest(Duration pause, Instant now) {
  if (pause > Duration::zero())
    rests_until_ = std::max(rests_until_, now + std::min(pause, kLongestServerWish));
}

// One line for each change of state; a sink that comes and goes gets one a minute of each kind.
void Courier::failed(const Held& held, State state, const std::string& reason, Instant now,
                     Instant next) {
  const bool news = state != state_ || (state == State::kParked && reason != report_.last_error);
  if (state_ == State::kOpen) {
    report_.error_since = clock_.wall();
    failing_since_ = now;
  }
  LineGate& lines = state == State::kParked ? parked_lines_ : backoff_lines_;
  if ((news || !failure_told_) && lines.pass(now)) {
    failure_told_ = true;
    if (state == State::kParked)
      log::error("sink {}: parked: {}. Everything is kept, and it is tried again", sink_->name(),
                 reason);
    else
      log::event(log::Level::kWarn, "sink {}: {}. Everything is kept and retried", sink_->name(),
                 reason);
  }
  state_ = state;
  asking_fails_ = !held.batch.receipt.empty();
  ++report_.failed_in_a_row;
  report_.last_error = reason;
  next_attempt_ = next;
  ++round_;
}

}  // namespace edgehose
