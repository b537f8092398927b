// What a courier does with a verdict.
#include <algorithm>
#include <sstream>

#include "agent/base/log_event.h"
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
  if (body.missing_records == 0 || claim.replay()) return {};
  return {claim.size.records - std::min(claim.size.records, body.encoded.records),
          claim.size.bytes - std::min(claim.size.bytes, body.encoded.bytes)};
}

// What refusals of one kind have in common: ids, times and amounts in a reason differ each time.
std::string kind_of(const Rejected& verdict) {
  if (!verdict.kind.empty()) return verdict.kind;
  std::string kind;
  std::istringstream words(verdict.reason);
  for (std::string word; words >> word;)
    if (word.find_first_of("0123456789") == std::string::npos) kind += word + ' ';
  return kind;
}

}  // namespace

void Courier::conclude(Held& held, const Verdict& verdict, Instant now) {
  std::visit(Overloaded{[&](const Delivered&) { delivered(held, now); },
                        [&](const Retry& v) { retry(held, v, now); },
                        [&](const Rejected& v) { rejected(held, v, now); },
                        [&](const TooLarge& v) { too_large(held, v, now); },
                        [&](const KeyRefused& v) { key_refused(held, v, now); },
                        [&](const Park& v) { park(held, v, now); },
                        [&](const Partly& v) {
                          retry(held, Retry{v.reason, v.after}, now);
                        },
                        [&](const Poll& v) {
                          retry(held, Retry{"it is not known yet", v.after}, now);
                        }},
             verdict);
}

void Courier::delivered(Held& held, Instant now) {
  count_delivery();
  refused_ = 0;
  ++report_.sent_objects;
  recovered(held, now);
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
  outcome.ack.possible_duplicates = possible_duplicates(held);
  if (held.summary) {
    outcome.sent_bytes = held.summary->object_bytes;
    outcome.ack.unreadable = unreadable(claim, *held.summary);
    if (outcome.ack.unreadable.records > 0)
      log::error("sink {}: {} of the {} records of {} are damaged in the buffer and were left out",
                 sink_->name(), outcome.ack.unreadable.records, claim.size.records, claim.key);
  }
  report_.sent_bytes += outcome.sent_bytes;
  discard_upload(held);
  outcomes_.post(std::move(outcome));
  held_.erase(claim.id);
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
  log::warn("sink {}: {} fails while others are delivered: {}; it is kept and retried",
            sink_->name(), held.batch.claim.key, reason);
}

void Courier::retry(Held& held, const Retry& verdict, Instant now) {
  ++report_.retries;
  held.maybe_arrived = held.maybe_arrived || verdict.maybe_arrived;
  held.batch.wrong_there = held.batch.wrong_there || verdict.wrong_there;
  const bool alone = fails_alone(held);
  if (!counts(held)) return;
  if (alone && !verdict.after) {
    const Duration longest = backoff_ceiling(options_.retry, held.own_failures + 1);
    return wait_alone(held, verdict.reason, full_jitter(longest, random_), now);
  }
  ++failures_;
  const Duration ceiling = backoff_ceiling(options_.retry, failures_);
  const Duration pause =
      verdict.after ? obey(*verdict.after, ceiling, random_) : full_jitter(ceiling, random_);
  failed(State::kBackingOff, verdict.reason, now, now + pause);
}

void Courier::park(Held& held, const Park& verdict, Instant now) {
  const bool alone = fails_alone(held);
  if (state_ == State::kParked && !counts(held)) return;
  if (alone) {
    const Duration pause = probe_interval(held.own_failures, random_);
    return wait_alone(held, verdict.reason, verdict.probe_every.value_or(pause), now);
  }
  probes_ = state_ == State::kParked ? probes_ + 1 : 0;
  failed(State::kParked, verdict.reason, now,
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

std::uint64_t Courier::possible_duplicates(const Held& held) const {
  if (options_.recognises != Recognises::kNothing) return 0;
  return held.maybe_arrived || held.batch.claim.resumed ? held.batch.claim.size.records : 0;
}

void Courier::rejected(Held& held, const Rejected& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  if (claim.replay()) return bury(held, verdict, now);
  if (!may_cut_anew(held, verdict.absent))
    return park_unsure(held, "refused, and not given up", verdict.reason, now);
  const bool whole = verdict.records.empty() || verdict.records.size() >= claim.size.records;
  if (!whole) {
    refused_ = 0;
  } else {
    std::string kind = kind_of(verdict);
    refused_ = kind == refusal_ ? std::min(refused_ + 1, kRefusedInARow) : 1;
    refusal_ = std::move(kind);
    if (refused_ >= kRefusedInARow)
      return park(held,
                  Park{fmt::format("{} batches in a row were refused whole: {}", kRefusedInARow,
                                   verdict.reason)},
                  now);
  }
  bury(held, verdict, now);
}

void Courier::too_large(Held& held, const TooLarge& verdict, Instant now) {
  const Claim& claim = held.batch.claim;
  const bool lacks = held.summary && held.summary->missing_records > 0;
  const std::uint64_t sent = lacks ? held.summary->encoded.records : claim.size.records;
  if (sent <= 1)
    return rejected(held, Rejected{{}, verdict.reason, "too large", verdict.absent}, now);
  if (!may_cut_anew(held, verdict.absent))
    return park_unsure(held, "too large, and not halved", verdict.reason, now);
  if (const auto count = halving_lines_.pass(now))
    log::info("sink {}: {} is too large ({}): halved ({} since this was last told)", sink_->name(),
              claim.key, verdict.reason, *count);
  recovered(held, now);
  discard_upload(held);
  outcomes_.post(Halve{claim.lane.sink, claim.id, possible_duplicates(held)});
  held_.erase(claim.id);
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
  recovered(held, now);
  discard_upload(held);
  outcomes_.post(Rekey{claim.lane.sink, claim.id, std::move(key)});
  held_.erase(claim.id);
}

// Settles a claim with what was refused as dead letters.
void Courier::bury(Held& held, const Rejected& verdict, Instant now) {
  auto dead = collect_dead_letters(store_, held.batch.claim,
                                   {verdict.records, verdict.reason, held.attempts, clock_.wall()});
  if (!dead) return retry(held, Retry{dead.error().message}, now);
  if (const auto count = refusal_lines_.pass(now))
    log::warn("sink {}: of {} {} refused and {} the dead letters: {} ({} since this was last told)",
              sink_->name(), held.batch.claim.key,
              format_count(dead->size(), "record is", "records are"),
              held.batch.claim.replay() ? "kept in" : "put into", verdict.reason,
              format_count(*count, "batch", "batches"));
  if (dead->size() < held.batch.claim.size.records) count_delivery();
  recovered(held, now);
  settle(held, std::move(*dead));
}

void Courier::past(const std::string& error) {
  if (error.empty()) return;
  report_.past_error = error;
  report_.past_error_at = clock_.wall();
}

// `held` has got its answer, and so has the sink.
void Courier::recovered(const Held& held, Instant now) {
  if (failure_told_)
    log::event(log::Level::kInfo, "sink {}: delivers again, after {}", sink_->name(),
               format_duration(now - failing_since_));
  failure_told_ = false;
  state_ = State::kOpen;
  failures_ = 0;
  past(held.own_error);
  past(report_.last_error);
  report_.last_error.clear();
}

// One line for each change of state; a sink that comes and goes gets one a minute of each kind.
void Courier::failed(State state, const std::string& reason, Instant now, Instant next) {
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
  report_.last_error = reason;
  next_attempt_ = next;
  ++round_;
}

}  // namespace edgehose
