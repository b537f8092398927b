#include "sinks/delivery/courier.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "agent/base/log.h"

namespace edgehose {
namespace {

bool may_have_arrived(const Verdict& verdict) {
  if (const auto* retry = std::get_if<Retry>(&verdict)) return retry->maybe_arrived;
  if (const auto* large = std::get_if<TooLarge>(&verdict)) return large->maybe_arrived;
  return false;
}

}  // namespace

Courier::Courier(std::shared_ptr<const Sink> sink, std::unique_ptr<Transport> transport,
                 OpenBody open_body, Store& store, const Clock& clock,
                 Mailbox<CourierEvent>& outcomes, CourierOptions options)
    : sink_(std::move(sink)),
      transport_(std::move(transport)),
      open_body_(std::move(open_body)),
      store_(store),
      clock_(clock),
      outcomes_(outcomes),
      options_(options),
      random_(options.seed) {}

Instant Courier::step() {
  if (stopped_) return kNever;
  waker_.drain();
  take_holds();
  take_claims();

  const Instant now = clock_.now();
  std::vector<Completion> finished;
  Instant next = transport_->step(now, finished);
  take_advances();
  for (const Completion& completion : finished) finish(completion, now);

  const RequestId before = next_request_;
  start_requests(now);
  publish(now);
  if (next_request_ != before || !finished.empty()) return now;  // the transport's wish is outdated
  return std::min(next, next_start(now));
}

void Courier::stop() {
  stopped_ = true;
  transport_->abandon();
  under_way_.clear();
  held_.clear();
  publish(clock_.now());  // what its connections cost to the last
}

std::vector<int> Courier::descriptors() const {
  std::vector<int> fds = transport_->descriptors();
  fds.push_back(waker_.fd());
  return fds;
}

void Courier::take_claims() {
  for (Claim& claim : claims_.take()) {
    const ClaimId id = claim.id;
    Held held;
    held.batch.claim = std::move(claim);
    held_.try_emplace(id, std::move(held));  // one that is held already is the same
  }
}

void Courier::take_holds() {
  for (std::string& reason : holds_.take()) {
    if (reason == hold_) continue;
    if (hold_.empty()) hold_since_ = clock_.wall();
    if (reason.empty())
      log::info("sink {}: no longer held back", sink_->name());
    else
      log::error("sink {}: held back: {}", sink_->name(), reason);
    past(hold_);
    hold_ = std::move(reason);
  }
}

// What its sink is to know of it.
Status Courier::prepare(Held& held) {
  Batch& batch = held.batch;
  if (!note_ || state_ == State::kParked) EH_TRY(load_note(batch.claim.lane.sink));
  batch.epoch = store_.epoch();
  batch.size_limit = sink_->size_limit(*note_);
  const SourceId id = batch.claim.lane.source;
  if (id == SourceId{}) return {};
  if (!source_names_.contains(id)) {
    EH_ASSIGN(const std::vector<SourceState> sources, store_.sources());
    for (const SourceState& source : sources) source_names_[source.id] = source.name;
  }
  batch.source = source_names_[id];
  return {};
}

void Courier::start_requests(Instant now) {
  // Bounded: a claim whose start fails changes the state or its own time, one that starts fills the
  // window.
  for (std::size_t tries = 0; tries <= options_.concurrency; ++tries) {
    Held* const held = next_to_start(now);
    if (held == nullptr) return;
    start(*held, now);
  }
}

Courier::Held* Courier::next_to_start(Instant now) {
  if (next_start(now) > now) return nullptr;
  Held* best = nullptr;
  const bool asks_first = is_asked_first(now);
  for (auto& [id, held] : held_) {
    if (!may_start(held) || due(held) > now) continue;
    if (asks_first && held.batch.receipt.empty()) continue;
    if (best == nullptr || goes_before(held, *best)) best = &held;
  }
  return best;
}

// What a replay delivers leaves the dead letters: it makes the room that intake waits for. What was
// taken is safe there or not, whatever intake waits for.
bool Courier::may_start(const Held& held) const {
  if (held.request || waits_for_batches(held)) return false;
  return hold_.empty() || held.batch.claim.replay() || !held.batch.receipt.empty();
}

// Replays come last. While the sink fails, one request at a time, and each claim has its turn, so
// that a single bad one does not stand for all of them; else the oldest goes first.
bool Courier::goes_before(const Held& held, const Held& other) const {
  if (held.batch.claim.replay() != other.batch.claim.replay()) return other.batch.claim.replay();
  return state_ != State::kOpen && held.round < other.round;
}

// A destination that is too busy to take more says what became of the rest: it is asked all the
// same.
Instant Courier::due(const Held& held) const {
  const bool asks = !held.batch.receipt.empty() && state_ == State::kBackingOff && !asking_fails_;
  const Instant own = state_ == State::kOpen || asks ? held.not_before : next_attempt_;
  return held.batch.receipt.empty() ? std::max({own, rests_until_, question_until_}) : own;
}

Instant Courier::next_start(Instant now) const {
  const std::size_t slots = state_ == State::kOpen ? options_.concurrency : 1;
  if (under_way_.size() >= slots) return kNever;
  const bool asks_first = is_asked_first(now);
  Instant earliest = kNever;
  for (const auto& [id, held] : held_) {
    if (!may_start(held) || (asks_first && held.batch.receipt.empty())) continue;
    earliest = std::min(earliest, std::max(due(held), now));
  }
  return earliest;
}

void Courier::start(Held& held, Instant now) {
  held.round = round_;
  if (held.told.all) return told_of_all(held, now);
  if (const Status ready = prepare(held); !ready)
    return back_off(held, ready.error().message, std::nullopt, now);
  held.batch.receipt.empty() ? send(held, now) : ask_for(held, now);
}

void Courier::send(Held& held, Instant now) {
  Batch& batch = held.batch;
  batch.attempted = held.attempts > 0 || batch.claim.resumed;
  batch.maybe_arrived = held.maybe_arrived || batch.claim.resumed;
  ++held.attempts;
  held.summary = nullptr;
  const Result<std::shared_ptr<ObjectBody>> body = body_of(held);
  if (!body) {
    const Error& error = body.error();
    if (batch.claim.replay() && error.code == ErrorCode::kNotFound)  // a person purged the letters
      return held.told.refused.empty() ? settle(held, {}) : told_of_all(held, now);
    const bool hopeless =
        error.code == ErrorCode::kInvalid || error.code == ErrorCode::kUnsupported;
    return conclude(held, hopeless ? Verdict(Park{error.message}) : Verdict(Retry{error.message}),
                    now);
  }
  held.body = *body;
  held.receipts_then = receipts_;
  held.summary = (*body)->summary();
  begin_request({&held}, sink_->request(batch, *note_, *body), held.summary);
  sent_meanwhile();
  transport_->tidy(now, [this](const std::string& key) { return is_leftover(key); });
}

void Courier::begin_request(const std::vector<Held*>& claims, Request request,
                            std::shared_ptr<const ObjectSummary> body) {
  const RequestId id = next_request_;
  ++next_request_;
  for (Held* const held : claims) {
    held->request = id;
    held->round = round_;
    under_way_[id].push_back(held->batch.claim.id);
  }
  transport_->start(id, std::move(request), std::move(body));
}

// Parts of an upload are good for the same bytes only, which an encrypted body made anew has not.
Result<std::shared_ptr<ObjectBody>> Courier::body_of(Held& held) {
  if (held.body && held.batch.claim.upload) {
    const std::shared_ptr<const ObjectSummary> summary = held.body->summary();
    if (summary->complete && !summary->changed) return held.body;
  }
  return open_body_(held.batch);
}

void Courier::take_advances() {
  for (Advance& advance : transport_->take_advances()) {
    const auto found = under_way_.find(advance.id);
    if (found == under_way_.end()) continue;
    Claim& claim = held_.at(found->second.front()).batch.claim;
    claim.upload = advance.upload;
    // One that is over stays in the store until its claim is settled: a later life asks for it, and
    // sees that the object is there.
    if (advance.upload)
      outcomes_.post(Advanced{claim.lane.sink, claim.id, std::move(advance.upload)});
  }
}

// Its claim is settled, or cut anew: without what was begun of it.
void Courier::forget(Held& held) {
  const Claim& claim = held.batch.claim;
  past(held.own_error);
  if (claim.upload) transport_->discard(claim.key, claim.upload);
  held_.erase(claim.id);
  forget_groups();
}

// A claim is persisted before anything is uploaded for it: what the store has no claim for needs
// none. Where that cannot be seen, nothing is taken for left over.
bool Courier::is_leftover(const std::string& key) {
  if (!sink_->is_own_key(key, store_.epoch())) return false;
  const auto claims = store_.claims(), replays = store_.replays();
  if (!claims || !replays) return false;
  const auto under_key = [&](const Claim& claim) { return claim.key == key; };
  return std::ranges::none_of(*claims, under_key) && std::ranges::none_of(*replays, under_key);
}

void Courier::finish(const Completion& completion, Instant now) {
  const auto found = under_way_.find(completion.id);
  if (found == under_way_.end()) return;
  const std::vector<ClaimId> claims = std::move(found->second);
  under_way_.erase(found);
  if (!held_.at(claims.front()).batch.receipt.empty()) question_until_ = {};
  for (const ClaimId id : claims) held_.at(id).request.reset();
  for (const ClaimId id : claims) judge(held_.at(id), completion.response, now);
}

void Courier::judge(Held& held, const Response& response, Instant now) {
  if (!held.batch.claim.upload) held.body = nullptr;
  if (held.waits_since) held.batch.held_back += now - *held.waits_since;
  held.waits_since.reset();
  Verdict verdict = sink_->judge(held.batch, response);
  if (std::exchange(held.overlapped, false) && std::holds_alternative<Delivered>(verdict)) {
    held.batch.ambiguous = true;
    verdict = sink_->judge(held.batch, response);
  }
  if (held.batch.receipt.empty() && may_have_arrived(verdict)) sent_unclear();
  if (is_lesson(held, verdict)) learn(held, response);
  conclude(held, verdict, now);
}

// Of what waits after a failure: the sink, or the claims that wait alone; kNever: nothing does.
Instant Courier::next_attempt(Instant now) const {
  if (state_ != State::kOpen) return next_attempt_;
  Instant earliest = kNever;
  for (const auto& [id, held] : held_)
    if (!held.own_error.empty()) earliest = std::min(earliest, std::max(held.not_before, now));
  return earliest;
}

void Courier::publish(Instant now) {
  using Shown = CourierStatus::State;
  report_.in_flight = report_.queued = report_.unacknowledged = 0;
  for (const auto& [id, held] : held_) {
    if (held.batch.claim.replay()) continue;  // told apart, by their letters
    const bool taken = !held.batch.receipt.empty();
    ++(taken ? report_.unacknowledged : held.request ? report_.in_flight : report_.queued);
  }
  report_.next_attempt_in = {};
  if (!hold_.empty()) {
    report_.state = Shown::kParked;
  } else if (state_ == State::kOpen && (!under_way_.empty() || report_.unacknowledged > 0)) {
    report_.state = Shown::kSending;
  } else if (const Instant next = next_attempt(now); next == kNever) {
    report_.state = Shown::kIdle;
  } else {
    report_.state = state_ == State::kParked ? Shown::kParked : Shown::kBackingOff;
    report_.next_attempt_in = std::max(next - now, Duration::zero());
  }
  report_.wire = transport_->wire_bytes();
  CourierStatus shown = report_;
  for (const auto& [id, held] : held_) {
    if (held.own_error.empty()) continue;
    ++shown.failing_alone;
    if (shown.state == Shown::kBackingOff && state_ == State::kOpen)  // nothing else is there
      shown.failed_in_a_row = std::max(shown.failed_in_a_row, held.own_failures);
    if (!report_.last_error.empty() || shown.failing_alone > 1) continue;
    shown.last_error = held.own_error;
    shown.error_since = held.own_error_since;
  }
  if (!hold_.empty()) {
    shown.last_error = hold_;
    shown.error_since = hold_since_;
  }
  status_.publish(std::move(shown));
}

}  // namespace edgehose
