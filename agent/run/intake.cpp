// Intake's loop: taking events, draining, deciding when a commit is due. What a commit holds is in
// intake_commit.cpp, what becomes of claims in intake_claims.cpp.
#include "agent/run/intake.h"

#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr Duration kMaintenanceEvery = std::chrono::minutes(1);
constexpr Duration kPublishEvery = std::chrono::seconds(1);
constexpr Duration kLookEvery = std::chrono::seconds(1);   // at most, while nothing can be taken
constexpr Duration kClockLook = std::chrono::seconds(10);  // whether it was set meanwhile
// A batch's commit comes so much before its age at most, lest the commit make it late. Batches of 5
// s then follow each other in less, and two of them share a commit of ext4's journal: it comes 5 s
// after the first change.
constexpr Duration kBatchLead = std::chrono::milliseconds(250);

class FullSink final : public RecordSink {
 public:
  void append(const NewRecord&) override {}
  bool full() const override { return true; }
};

}  // namespace

Intake::Intake(Store& store, const Clock& clock, Waker& waker, IntakeOptions options,
               std::vector<std::unique_ptr<Source>> sources, std::vector<SinkLink> sinks)
    : store_(store),
      clock_(clock),
      waker_(waker),
      options_(std::move(options)),
      inbox_(waker),
      changes_(waker),
      sinks_(std::move(sinks)) {
  budget_.limit = options_.pending_limit();
  for (std::unique_ptr<Source>& source : sources) {
    SourceSlot slot;
    slot.pending =
        std::make_unique<PendingRecords>(store_.source_id(source->name()), clock_, budget_);
    slot.source = std::move(source);
    slots_.push_back(std::move(slot));
  }
}

Status Intake::connect(const std::string& sink, Mailbox<Claim>& claims, Mailbox<std::string>& holds,
                       std::shared_ptr<TrafficMeter> meter) {
  for (SinkLink& link : sinks_) {
    if (link.config.name != sink) continue;
    link.courier = &claims;
    link.holds = &holds;
    link.meter = std::move(meter);
    return {};
  }
  return fail(ErrorCode::kInvalid, "connecting a courier: there is no sink {}", sink);
}

Status Intake::start() {
  EH_TRY(register_sinks());
  EH_TRY(resume_claims());
  publish();
  next_publish_ = {};  // what the first look finds is shown at once
  return {};
}

Instant Intake::step() {
  waker_.drain();
  take_events();
  make_changes();
  if (clock_.now() >= next_place_look_) look_for_place();
  drain_sources();
  // Asked first: where it is due now, that is not after a now that was asked before.
  const Instant due = commit_due();
  if (clock_.now() >= due) commit();

  const Instant now = clock_.now();
  if (now >= next_maintenance_) {
    beat();
    store_.maintain();
    look_for_traffic();
    next_maintenance_ = now + kMaintenanceEvery;
  }
  if (now >= drop_report_due()) report_drops();
  const bool changed = complete() != shown_.complete || blocked() != shown_.blocked ||
                       displaced_ != shown_.displaced;
  Instant show = publish_due();
  if (changed || now >= show) {
    publish();
    show = kNever;
  }

  Instant next = std::min({commit_due(), next_place_look_, drop_report_due(), show});
  if (!may_drain()) {
    for (const SourceSlot& slot : slots_) next = std::min(next, slot.next_look);
    return next;
  }
  for (const SourceSlot& slot : slots_) next = std::min(next, slot.more ? now : slot.next_drain);
  return next;
}

Status Intake::stop() {
  take_events();
  if (!displaced_.empty())
    log::error("stop: {}; what it held undelivered is lost with it", displaced_);
  Status status = try_commit(Attempt::kWithRecords);
  if (!status) {
    const Status settled = try_commit(Attempt::kSettlementsOnly);
    if (status.error().code == ErrorCode::kFull) status = settled;
  }
  report_drops();
  publish();
  return status;
}

std::vector<int> Intake::descriptors() const {
  std::vector<int> fds{waker_.fd()};
  // A blocked source's input stays readable: waiting for it would spin.
  if (may_drain())
    for (const SourceSlot& slot : slots_)
      if (std::find(fds.begin(), fds.end(), slot.source->fd()) == fds.end())
        fds.push_back(slot.source->fd());
  return fds;
}

void Intake::take_events() {
  for (CourierEvent& event : inbox_.take()) {
    if (const auto* settled = std::get_if<Settled>(&event)) {
      if (SinkLink* sink = link(settled->sink)) {
        const auto claim = sink->claims.find(settled->ack.claim);
        if (claim != sink->claims.end()) {
          sink->estimate.measured(claim->second.size.bytes, settled->sent_bytes);
          sink->claims.erase(claim);
        }
        if (sink->replays.erase(settled->ack.claim) > 0) sink->replays_wait = true;
      }
    }
    if (oldest_event_ == kNever) oldest_event_ = clock_.now();
    if (const auto* advanced = std::get_if<Advanced>(&event))
      forget_earlier(*advanced);
    else
      look_for_batches_ = true;
    events_.push_back(std::move(event));
  }
}

// What is not committed yet of the same claim is overtaken.
void Intake::forget_earlier(const Advanced& advanced) {
  std::erase_if(events_, [&](const CourierEvent& event) {
    const auto* earlier = std::get_if<Advanced>(&event);
    return earlier != nullptr && earlier->claim == advanced.claim;
  });
}

// While commits fail or find no room, what one commit takes is kept at hand and no more.
bool Intake::may_drain() const {
  const bool stuck = waits() || retry_at_ > clock_.now();
  return budget_.used < (stuck ? options_.commit_bytes : budget_.limit);
}

void Intake::drain_sources() {
  if (!may_drain()) return look_only();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    SourceSlot& slot = slots_[(next_source_ + i) % slots_.size()];
    if (budget_.used >= budget_.limit) break;
    drain(slot);
    // A commit for volume finds whole blocks now: see PendingRecords.
    if (budget_.used >= commit_bytes()) break;
  }
  if (!slots_.empty()) next_source_ = (next_source_ + 1) % slots_.size();
}

// A source that may hand nothing in still has to notice what is rotated away and hold on to it.
void Intake::look_only() {
  FullSink full;
  for (SourceSlot& slot : slots_) {
    if (clock_.now() < slot.next_look) continue;
    beat();
    const DrainResult result = slot.source->drain(full);
    slot.more = result.more;
    slot.next_look = std::max(result.next, clock_.now() + kLookEvery);
  }
}

void Intake::drain(SourceSlot& slot) {
  beat();
  slot.pending->begin_drain();
  const DrainResult result = slot.source->drain(*slot.pending);
  slot.more = result.more;
  slot.next_drain = result.next;
  slot.urgent = slot.urgent || result.urgent;
}

std::size_t Intake::commit_bytes() const {
  // Where a flush is slow (a card takes 20 ms and more), larger commits keep its share small.
  const bool slow = mean_commit_ > std::chrono::milliseconds(15);
  return slow ? 2 * options_.commit_bytes : options_.commit_bytes;
}

Instant Intake::commit_due() {
  if (retry_at_ > clock_.now()) return retry_at_;
  return std::min({records_due(), batches_due(), settlements_due(), replays_due(), traffic_due_});
}

Instant Intake::records_due() const {
  if (!displaced_.empty()) return kNever;
  if (blocked_until_ > clock_.now()) return blocked_until_;
  if (budget_.used >= commit_bytes()) return clock_.now();
  // Flushes take at most a tenth of the time.
  const Duration gentle = 10 * mean_commit_;
  Instant due = kNever;
  for (const SourceSlot& slot : slots_) {
    if (slot.urgent) return clock_.now();
    if (slot.pending->empty()) continue;
    const Duration limit = slot.source->commit_patience(options_.commit_limit);
    due = std::min(due, slot.pending->oldest() + std::max(limit, gentle));
  }
  return due;
}

// A batch that is ripe by what is committed, or will be with what is pending.
Instant Intake::batches_due() {
  const bool flush = all_is_ripe();
  Instant due = kNever;
  bool look_again = false;
  for (SinkLink& sink : sinks_) {
    if (waits_for_clock(sink)) {
      look_again = true;
      due = std::min(due, clock_.now() + kClockLook);
      continue;
    }
    for (LanePlanner& lane : sink.lanes) {
      if (!sink.has_room(lane.lane().source)) continue;
      if (look_for_batches_ && full_batch_waits(sink, lane)) return clock_.now();
      if (flush && lane.has_pending()) return clock_.now();
      const Duration lead = std::min(kBatchLead, claim_lead(sink) / 2);
      if (lane.ripe_at() != kNever) due = std::min(due, lane.ripe_at() - lead);
      const SourceSlot* slot = slot_of(lane.lane().source);
      if (slot != nullptr && !slot->pending->empty() && !waits()) {
        if (flush) return clock_.now();
        due = std::min(due, slot->pending->oldest() + sink.config.batch.age() - lead);
      }
    }
  }
  look_for_batches_ = look_again;
  return due;
}

// What will be ripe before the next commit is claimed by this one, rather than by one more.
Duration Intake::claim_lead(const SinkLink& sink) const {
  return std::min(options_.commit_limit / 2, sink.config.batch.age() / 10);
}

bool Intake::full_batch_waits(const SinkLink& sink, LanePlanner& lane) {
  if (!lane.has_pending()) return false;
  const NextBlock blocks = [this](SourceId s, BlockNumber from) {
    return store_.next_block(s, from);
  };
  const auto batch = lane.next(blocks, sink.estimate, clock_.now(), all_is_ripe());
  return batch && batch->has_value();
}

// What a sink with a problem reports waits for room, not for a commit.
Instant Intake::settlements_due() {
  if (events_.empty()) return kNever;
  for (const CourierEvent& event : events_) {
    const SinkId id = std::visit([](const auto& e) { return e.sink; }, event);
    const SinkLink* const sink = link(id);
    const bool waits = sink != nullptr && !sink->problem.empty();
    if (std::holds_alternative<Advanced>(event)) continue;  // a commit a part would wear the flash
    if (!std::holds_alternative<Settled>(event) || (options_.flush && !waits)) return clock_.now();
  }
  // Records under way will be committed soon enough, and take the acknowledgements along.
  const bool records_come = budget_.used > 0 && !waits();
  return records_come ? kNever : oldest_event_ + options_.ack_limit;
}

bool Intake::flushing() const {
  return options_.flush && std::all_of(slots_.begin(), slots_.end(), [](const SourceSlot& slot) {
           return slot.source->caught_up();
         });
}

bool Intake::complete() const {
  if (!flushing()) return false;
  for (const SourceSlot& slot : slots_)
    if (!slot.pending->empty()) return false;
  return nothing_held();
}

SinkLink* Intake::link(SinkId id) {
  const auto found =
      std::find_if(sinks_.begin(), sinks_.end(), [&](const SinkLink& s) { return s.id == id; });
  return found == sinks_.end() ? nullptr : &*found;
}

Intake::SourceSlot* Intake::slot_of(SourceId id) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const SourceSlot& s) { return s.pending->source() == id; });
  return found == slots_.end() ? nullptr : &*found;
}

// Once a change is known nothing is compared until it is shown: steps may be many.
Instant Intake::publish_due() {
  unshown_ = unshown_ || state() != shown_;
  return unshown_ ? next_publish_ : kNever;
}

void Intake::publish() {
  shown_ = state();
  status_.publish(shown_);
  unshown_ = false;
  next_publish_ = clock_.now() + kPublishEvery;
}

IntakeStatus Intake::state() const {
  IntakeStatus status;
  for (const SourceSlot& slot : slots_) {
    status.sources.push_back(slot.source->health());
    status.uncommitted.push_back(slot.pending->size().bytes);
  }
  for (const SinkLink& sink : sinks_)
    if (const Instant at = sink.batch_at(); at != kNever)
      status.batches_at[sink.config.name] =
          waits_for_clock(sink) ? std::max(at, clock_patience_) : at;
  for (const SinkLink& sink : sinks_)
    if (sink.refused.records > 0) status.refused[sink.config.name] = sink.refused;
  for (const SinkLink& sink : sinks_)
    if (!sink.problem.empty())
      status.sink_problems.push_back(sink.config.name + ": " + sink.problem);
  status.pending_bytes = budget_.used;
  status.blocked = blocked();
  status.disk_full = disk_full_;
  status.drops = drops();
  status.displaced = displaced_;
  status.displaced_since = displaced_since_;
  status.nothing_held = nothing_held();
  status.problem = problem_;
  status.problem_since = problem_since_;
  status.problem_began = problem_began_;
  status.commits = commits_;
  status.last_flush = last_flush_;
  status.mean_flush = mean_flush_;
  status.complete = complete();
  return status;
}

}  // namespace edgehose
