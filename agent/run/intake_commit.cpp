// What one commit of intake holds, and what happens when it cannot be made.
#include <algorithm>
#include <tuple>

#include "agent/base/check.h"
#include "agent/base/log_event.h"
#include "agent/base/text.h"
#include "agent/run/intake.h"

namespace edgehose {
namespace {

constexpr Duration kBlockedRetry = std::chrono::seconds(5);
// A sink that is at work has so long to make room before a policy drops anything.
constexpr Duration kDropPatience = std::chrono::seconds(5);
// What a policy that drops dropped so lately it goes on dropping; else all that is left is claimed.
constexpr Duration kDropsLately = 3 * kBlockedRetry;
constexpr Duration kTellFullEvery = std::chrono::minutes(1);
constexpr Duration kFirstRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::seconds(30);

std::string then_drops(WhenFull policy) {
  if (policy == WhenFull::kBlock) return "";
  return fmt::format(" for sinks, then records are dropped ({})", name(policy));
}

}  // namespace

void Intake::commit() {
  const bool records_wait = !displaced_.empty() || blocked_until_ > clock_.now();
  Attempt attempt = records_wait ? Attempt::kSettlementsOnly : Attempt::kWithRecords;
  Status status = try_commit(attempt);
  if (!status && status.error().code == ErrorCode::kFull) {
    found_full(status.error());
    attempt = drops_pending() ? Attempt::kDroppingRecords : Attempt::kSettlementsOnly;
    status = try_commit(attempt);
  }
  // Whatever keeps records out: acknowledgements need less, and sinks wait for them.
  if (!status && attempt != Attempt::kSettlementsOnly)
    std::ignore = try_commit(Attempt::kSettlementsOnly);
  if (!status) return commit_failed(status.error());
  if (!problem_.empty()) log::event(log::Level::kInfo, "buffer: commits succeed again");
  problem_.clear();
  retry_at_ = {};
  retry_delay_ = {};
}

void Intake::found_full(const Error& error) {
  if (!blocked() && clock_.now() >= next_full_report_) {
    log::event(log::Level::kWarn, "buffer: {}full, sources wait{}: {}",
               error.sys != 0 ? "its disk is " : "", then_drops(options_.when_full), error.message);
    full_told_ = true;
    next_full_report_ = clock_.now() + kTellFullEvery;
  }
  if (full_since_ == Instant{}) full_since_ = clock_.now();
  blocked_until_ = clock_.now() + kBlockedRetry;
  disk_full_ = error.sys != 0 ? error.message : "";
  full_at_commit_ = committing_ ? full_at_commit_ + 1 : 0;
}

// What is full is known while records are appended, and each block is dropped or not. But where
// LMDB puts them all, and whether the disk takes them there, shows only when they are committed.
bool Intake::drops_pending() const {
  return full_at_commit_ > 0 && displaced_.empty() && options_.when_full == WhenFull::kDropNewest &&
         !patient();
}

// All in one transaction: acknowledgements and what they let go first, since they make room, in the
// buffer and in the one leaf page that a small commit writes; then records with their positions;
// then the claims that this makes ripe. On failure everything stays where it was.
Status Intake::try_commit(Attempt attempt) {
  std::vector<std::vector<LanePlanner>> planners_before;
  for (const SinkLink& sink : sinks_) planners_before.push_back(sink.lanes);
  const Counter dropping_before = dropping_;
  const Instant full_before = full_since_;

  Made made;
  committing_ = false;
  const Status status = [&]() -> Status {
    EH_ASSIGN(const std::unique_ptr<Store::Transaction> transaction, store_.begin());
    EH_TRY(write_settlements(*transaction, made));
    EH_ASSIGN(made.trimmed, transaction->trim());
    if (attempt != Attempt::kSettlementsOnly) {
      EH_TRY(write_records(*transaction, attempt));
    } else {
      EH_ASSIGN(made.dropped, come_down(*transaction, made));
    }
    EH_TRY(claim_ripe(*transaction, made));
    EH_TRY(begin_replays(*transaction, made));
    EH_TRY(write_traffic(*transaction, made));
    beat();  // the flush may take a slow card half a minute
    committing_ = true;
    return transaction->commit();
  }();

  if (status) {
    if (dropping_.records > dropping_before.records) last_drop_ = clock_.now();
    committed(attempt, std::move(made));
    return {};
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) sinks_[i].lanes = std::move(planners_before[i]);
  dropping_ = dropping_before;
  full_since_ = full_before;
  if (attempt != Attempt::kSettlementsOnly)
    for (SourceSlot& slot : slots_) slot.source->settled(false);
  return status;
}

Status Intake::write_records(Store::Transaction& transaction, Attempt attempt) {
  for (SourceSlot& slot : slots_) {
    beat();
    if (!slot.pending->empty()) flush_input(slot);
    if (attempt == Attempt::kDroppingRecords)
      EH_TRY(drop_pending(transaction, slot));
    else
      EH_TRY(append_pending(transaction, slot));
    EH_TRY(slot.source->checkpoint(transaction));
  }
  return {};
}

// A source's input comes first: a position that outlives the bytes before it would skip others
// after a power cut. Where the input cannot be synced, reading on is the lesser evil.
void Intake::flush_input(SourceSlot& slot) {
  const Instant begin = clock_.now();
  if (const Status synced = slot.source->before_commit(); !synced)
    log::warn("source {}: {}", slot.source->name(), synced.error().message);
  last_flush_ = clock_.now() - begin;
  mean_flush_ = mean_flush_ == Duration{} ? last_flush_ : (mean_flush_ * 7 + last_flush_) / 8;
}

Status Intake::append_pending(Store::Transaction& transaction, SourceSlot& slot) {
  const Instant since = slot.pending->oldest();
  for (const RawBlock& block : slot.pending->blocks()) {
    beat();
    auto appended = transaction.append(block);
    if (!appended && appended.error().code == ErrorCode::kFull)
      EH_TRY(make_room(transaction, block, std::move(appended).error()));
    else if (!appended)
      return tl::unexpected<Error>(std::move(appended).error());
  }
  if (slot.pending->empty()) return {};
  for (SinkLink& sink : sinks_)
    for (LanePlanner& lane : sink.lanes)
      if (lane.lane().source == slot.pending->source()) lane.arrived(since);
  return {};
}

// The buffer is full: what no sink of the config waits for goes first, whatever the policy; then
// the policy decides. kBlock passes the error on, and so do the others until it is clear that no
// sink is about to make room: what waits is claimed meanwhile, and nothing is lost by waiting.
Status Intake::make_room(Store::Transaction& transaction, const RawBlock& block, Error full) {
  EH_ASSIGN(const bool made, drop_and_append(transaction, block, DropScope::kUnneeded));
  if (made) return {};
  if (patient()) return tl::unexpected<Error>(std::move(full));
  switch (options_.when_full) {
    case WhenFull::kBlock: break;
    case WhenFull::kDropOldest: {
      EH_ASSIGN(const bool appended, drop_and_append(transaction, block, DropScope::kAny));
      if (appended) return {};
      break;  // everything is claimed: wait for the sinks
    }
    case WhenFull::kDropNewest: return drop_new(transaction, block);
  }
  return tl::unexpected<Error>(std::move(full));
}

Status Intake::drop_new(Store::Transaction& transaction, const RawBlock& block) {
  const Counter dropped{block.records, block.bodies.size()};
  dropping_ += dropped;
  return transaction.count_not_taken(block.source, dropped);
}

Status Intake::drop_pending(Store::Transaction& transaction, SourceSlot& slot) {
  for (const RawBlock& block : slot.pending->blocks()) EH_TRY(drop_new(transaction, block));
  return {};
}

bool Intake::patient() const {
  return full_since_ == Instant{} || clock_.now() - full_since_ < kDropPatience;
}

// drop_oldest has nothing to drop where everything is claimed: it waits then, as block does.
bool Intake::drops() const {
  if (!blocked() || options_.when_full == WhenFull::kBlock) return false;
  if (options_.when_full == WhenFull::kDropNewest || patient()) return true;
  return last_drop_ && clock_.now() - *last_drop_ < kDropsLately;
}

// A lowered limit may leave more beyond it than one transaction drops: each takes its part, and
// lasts though the records that wait find no room yet. On a full disk what goes makes room only for
// later transactions, and sinks that make room themselves come first. Where the commit was refused,
// what went before may be of use to the next but one: only if that is refused too, more must go.
// True where something was dropped.
Result<bool> Intake::come_down(Store::Transaction& transaction, const Made& made) {
  if (!blocked()) return false;
  const bool any = options_.when_full == WhenFull::kDropOldest && !patient();
  const bool for_disk = !disk_full_.empty() && full_at_commit_ != 1 && !made.settled;
  EH_ASSIGN(const Counter dropped, drop(transaction, for_disk ? budget_.used : 0,
                                        any ? DropScope::kAny : DropScope::kUnneeded));
  return dropped.records > 0;
}

Result<Counter> Intake::drop(Store::Transaction& transaction, std::uint64_t bytes,
                             DropScope scope) {
  std::vector<LaneKey> configured;
  for (const SinkLink& sink : sinks_) {
    for (const LanePlanner& lane : sink.lanes) configured.push_back(lane.lane());
    for (const auto& [id, claim] : sink.claims) configured.push_back(claim.lane);  // being sent
  }
  EH_ASSIGN(const Counter dropped, transaction.drop_oldest(bytes, configured, scope));
  dropping_ += dropped;
  go_behind_dropped(transaction);
  return dropped;
}

// False where nothing could be dropped, or not enough.
Result<bool> Intake::drop_and_append(Store::Transaction& transaction, const RawBlock& block,
                                     DropScope scope) {
  EH_TRY(drop(transaction, block.bodies.size() + block.index.size(), scope));
  auto appended = transaction.append(block);
  if (appended) return true;
  if (appended.error().code == ErrorCode::kFull) return false;
  return tl::unexpected<Error>(std::move(appended).error());
}

// A sink that stood idle, its batch not ripe, while records went that it had not claimed gets the
// time to take what is left: at the next full buffer everything is ripe.
void Intake::go_behind_dropped(const Store::Transaction& transaction) {
  for (SinkLink& sink : sinks_)
    for (LanePlanner& lane : sink.lanes) {
      if (!lane.dropped_before(transaction.cursor(lane.lane()))) continue;
      if (sink.problem.empty() && sink.claims_of(lane.lane().source) == 0) full_since_ = {};
    }
}

void Intake::committed(Attempt attempt, Made made) {
  ++commits_;
  mean_commit_ = store_.usage().mean_commit;
  if (attempt != Attempt::kSettlementsOnly) {
    for (SourceSlot& slot : slots_) {
      slot.source->settled(true);
      slot.pending->clear();
      slot.urgent = false;
    }
  }
  if (attempt == Attempt::kWithRecords) {
    if (blocked() && full_told_)
      log::event(log::Level::kInfo, "buffer: there is room again, sources go on");
    if (blocked()) full_told_ = false;
    blocked_until_ = {};
    disk_full_.clear();
    full_at_commit_ = 0;
  } else if (blocked() && (attempt == Attempt::kDroppingRecords || made.dropped || made.settled)) {
    blocked_until_ = clock_.now();  // there may be room
  }
  if (made.dropped) full_at_commit_ = 0;
  if (made.trimmed > 0) full_since_ = {};
  for (const std::size_t i : made.applied) count_refused(events_[i]);
  for (auto at = made.applied.rbegin(); at != made.applied.rend(); ++at)
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(*at));
  oldest_event_ = events_.empty() ? kNever : clock_.now();
  traffic_due_ = kNever;
  for (const auto& [sink, traffic] : made.traffic) sink->traffic = traffic;
  for (const auto& [sink, id] : made.replaced) {
    sink->claims.erase(id);
    if (sink->replays.erase(id) > 0) sink->replays_wait = true;
  }
  for (auto& [sink, claim] : made.claims) {
    (claim.replay() ? sink->replays : sink->claims).emplace(claim.id, claim);
    sink->courier->post(std::move(claim));
  }
}

void Intake::commit_failed(const Error& error) {
  if (problem_.empty()) {
    problem_since_ = clock_.wall();
    problem_began_ = clock_.now();
    log::error("buffer: a commit failed, nothing is lost, it is tried again: {}", error.message);
  }
  problem_ = error.message;
  retry_delay_ =
      retry_delay_ == Duration{} ? kFirstRetry : std::min(2 * retry_delay_, kLongestRetry);
  retry_at_ = clock_.now() + retry_delay_;
}

// One line a minute at most, however many commits drop something.
Instant Intake::drop_report_due() const {
  return dropping_.records == 0 ? kNever : next_drop_report_;
}

void Intake::report_drops() {
  if (dropping_.records == 0) return;
  log::warn(
      "buffer: full, {} ({}) dropped, as buffer.when_full = \"{}\" says (what no sink "
      "of the config waits for goes first); edgehose status shows which sink is behind",
      format_count(dropping_.records, "record"), format_size(dropping_.bytes),
      name(options_.when_full));
  dropping_ = {};
  next_drop_report_ = clock_.now() + std::chrono::minutes(1);
}

}  // namespace edgehose
