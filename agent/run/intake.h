// Intake: the one writer. It drains the sources, gathers what they read, and commits it together
// with their positions, the claims that have become ripe and the acknowledgements that came back.
// It commits as late as is safe, because every commit costs at least 16 KiB of flash.
//
// A commit is due at the first of: a batch that is ripe, or would be with what is pending; 2 MiB of
// records; the profile's limit since the oldest pending record; a source that says it cannot be
// read again; acknowledgements that free the way for the next claim, or have waited long enough; a
// stop.
//
// Threading: everything but inbox(), status() and reading heartbeat() belongs to the intake thread;
// step() is bounded work, and beats between its pieces.
// Invariant: a record is in exactly one place: its source (position not moved), here (pending), or
// the store (committed together with its position).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/mailbox.h"
#include "agent/config/agent_config.h"
#include "agent/run/change.h"
#include "agent/run/heartbeat.h"
#include "agent/run/pending.h"
#include "agent/run/sink_link.h"
#include "agent/sources/source.h"
#include "buffer/store.h"
#include "sinks/delivery/events.h"

namespace edgehose {

struct IntakeOptions {
  WhenFull when_full = WhenFull::kBlock;
  Duration commit_limit = std::chrono::seconds(60);  // re-readable records wait at most this long
  Duration ack_limit = std::chrono::seconds(30);  // acknowledgements alone wait at most this long
  std::size_t commit_bytes = 2u << 20;            // raw; twice that on slow media
  // run --once: what is there becomes ripe as soon as the sources are read to the end.
  bool flush = false;

  // Raw bytes read and not committed, at most: sources go on a little while a commit fails.
  std::size_t pending_limit() const { return 2 * commit_bytes + kBlockRawBytes; }
};

// What a person asks of the running agent, and what became of it.
struct ChangeRequest {
  std::uint64_t ticket = 0;
  ControlChange change;
};
struct ChangeOutcome {
  std::uint64_t ticket = 0;
  ControlChange change;
  Result<ChangeReport> report;
};

// How long a data_dir that was taken away is waited for.
constexpr Duration kDisplacedPatience = std::chrono::minutes(10);

struct IntakeStatus {
  std::vector<SourceHealth> sources;
  std::vector<std::uint64_t> uncommitted;  // of each, bytes that are read and in no commit yet
  std::uint64_t pending_bytes = 0;
  bool blocked = false;   // the buffer is full and sources wait
  std::string disk_full;  // why it is, where its disk is full and not the buffer
  bool drops = false;     // blocked, and the policy drops what sinks make no room for
  std::string displaced;  // the buffer's file is not where it was; why, and what to do
  Instant displaced_since{};
  bool nothing_held = false;  // everything that is committed was delivered
  std::string problem;        // why commits fail; empty: they do not
  WallTime problem_since;
  Instant problem_began{};
  std::uint64_t commits = 0;
  Duration last_flush{}, mean_flush{};  // of what was read, before its positions are committed
  std::map<std::string, Instant> batches_at;  // by sink: when the age makes a batch of what waits
  std::map<std::string, Counter> refused;     // by sink, since start: new dead letters
  std::vector<std::string> sink_problems;  // sinks whose acknowledgements cannot be taken, and why
  bool complete = false;                   // flush: everything read is acknowledged

  // The buffer was taken away for so long that it will not come back, and nothing in it is lost.
  bool given_up(Instant now) const {
    return !displaced.empty() && nothing_held && now - displaced_since >= kDisplacedPatience;
  }
  bool operator==(const IntakeStatus&) const = default;
};

class Intake {
 public:
  Intake(Store& store, const Clock& clock, Waker& waker, IntakeOptions options,
         std::vector<std::unique_ptr<Source>> sources, std::vector<SinkLink> sinks);

  // Where a sink's claims and the reasons for holding it go; once for each sink, before start().
  // `meter`: null where no network carries the sink.
  Status connect(const std::string& sink, Mailbox<Claim>& claims, Mailbox<std::string>& holds,
                 std::shared_ptr<TrafficMeter> meter = nullptr);
  // Where outcomes of changes() go, and what the config allows; once, before start().
  void connect_operator(Mailbox<ChangeOutcome>& outcomes, ChangeContext context);
  // Registers sinks and lanes, finds what is claimed already and hands it to the couriers.
  Status start();
  // Bounded work; returns when it wants to be called next (earlier when a descriptor is readable).
  Instant step();
  // Commits what is pending and every acknowledgement that has come; nothing is rushed out.
  Status stop();

  Mailbox<CourierEvent>& inbox() { return inbox_; }
  Mailbox<ChangeRequest>& changes() { return changes_; }  // bounded by the control socket's clients
  std::vector<int> descriptors() const;                   // to wait on, the waker's included
  const Published<IntakeStatus>& status() const { return status_; }
  Heartbeat& heartbeat() { return heartbeat_; }
  bool complete() const;

 private:
  struct SourceSlot {
    std::unique_ptr<Source> source;
    std::unique_ptr<PendingRecords> pending;
    Instant next_drain{};  // by time alone
    Instant next_look{};   // the same, while nothing can be taken
    bool more = true;
    bool urgent = false;
  };
  enum class Attempt { kWithRecords, kSettlementsOnly, kDroppingRecords };

  // What a transaction made, to be acted on once it is durable.
  struct Made {
    unsigned trimmed = 0;                                 // blocks that every sink has
    bool dropped = false;                                 // what is held is less by come_down()
    std::vector<std::size_t> applied;                     // indices of events_
    bool settled = false;                                 // of them, one that may make room
    std::vector<std::pair<SinkLink*, ClaimId>> replaced;  // claims that were cut anew
    std::vector<std::pair<SinkLink*, Claim>> claims;      // new ones, to be handed to couriers
    std::vector<std::pair<SinkLink*, SinkTraffic>> traffic;
  };

  // intake.cpp: the loop
  void take_events();
  void forget_earlier(const Advanced& advanced);
  void drain_sources();
  void drain(SourceSlot& slot);
  void look_only();
  bool may_drain() const;
  Instant commit_due();  // kNever where there is nothing to commit
  Instant records_due() const;
  Instant batches_due();
  Instant settlements_due();
  std::size_t commit_bytes() const;
  Duration claim_lead(const SinkLink& sink) const;
  bool full_batch_waits(const SinkLink& sink, LanePlanner& lane);
  bool blocked() const { return blocked_until_ != Instant{}; }
  bool waits() const { return blocked() || !displaced_.empty(); }  // records are not committed
  bool flushing() const;
  // What is there is ripe whatever its size and age: at the end of run --once, in a full buffer,
  // and in one that was deleted.
  bool all_is_ripe() const { return waits() || flushing(); }
  void beat() { heartbeat_.working(clock_.now()); }
  SinkLink* link(SinkId id);
  SourceSlot* slot_of(SourceId id);
  IntakeStatus state() const;
  Instant publish_due();  // kNever where nothing has changed
  void publish();

  // intake_place.cpp: a buffer that is deleted under the agent
  void look_for_place();
  bool nothing_held() const;

  // intake_commit.cpp: one transaction
  void commit();
  Status try_commit(Attempt attempt);
  void found_full(const Error& error);
  bool drops_pending() const;
  Status write_records(Store::Transaction& transaction, Attempt attempt);
  void flush_input(SourceSlot& slot);
  Status append_pending(Store::Transaction& transaction, SourceSlot& slot);
  Status make_room(Store::Transaction& transaction, const RawBlock& block, Error full);
  Status drop_new(Store::Transaction& transaction, const RawBlock& block);
  Status drop_pending(Store::Transaction& transaction, SourceSlot& slot);
  Result<bool> come_down(Store::Transaction& transaction, const Made& made);
  bool patient() const;
  bool drops() const;
  Result<Counter> drop(Store::Transaction& transaction, std::uint64_t bytes, DropScope scope);
  void go_behind_dropped(const Store::Transaction& transaction);
  Result<bool> drop_and_append(Store::Transaction& transaction, const RawBlock& block,
                               DropScope scope);
  void committed(Attempt attempt, Made made);
  void commit_failed(const Error& error);
  Instant drop_report_due() const;
  void report_drops();

  // intake_traffic.cpp: what sinks' connections carried
  Status write_traffic(Store::Transaction& transaction, Made& made);
  void look_for_traffic();

  // intake_claims.cpp: what becomes of claims
  Status register_sinks();
  Status resume_claims();
  Status age_backlog(LanePlanner& lane, const BatchConfig& batch);
  Result<std::optional<Sequence>> first_unclaimed(const LaneState& lane, Position begin,
                                                  const std::vector<Claim>& claims,
                                                  const std::vector<SourceState>& sources);
  Status write_settlements(Store::Transaction& transaction, Made& made);
  Status write_settlement(Store::Transaction& transaction, const Settled& settled, Made& made);
  Status write_settlement(Store::Transaction& transaction, const Learned& learned, Made& made);
  Status write_settlement(Store::Transaction& transaction, const Halve& halve, Made& made);
  Status write_settlement(Store::Transaction& transaction, const Rekey& rekey, Made& made);
  Status write_settlement(Store::Transaction& transaction, const Advanced& advanced, Made& made);
  Status recut(Store::Transaction& transaction, SinkLink& sink, ClaimId claim,
               const std::vector<Claim>& parts, std::uint64_t possible_duplicates, Made& made);
  Result<std::vector<Claim>> cut_in_two(const SinkLink& sink, const Claim& claim);
  void tell_problems(const std::map<SinkId, std::string>& problems);
  std::string key_of(const SinkLink& sink, const Claim& claim) const;
  bool waits_for_clock(const SinkLink& sink) const;
  Status claim_ripe(Store::Transaction& transaction, Made& made);

  // intake_replays.cpp: what a person asks for, dead letters that come and go
  void make_changes();
  void changed(const ControlChange& change);
  void resume_replays(const std::vector<Claim>& replays);
  Instant replays_due() const;
  Status begin_replays(Store::Transaction& transaction, Made& made);
  Status begin_next(Store::Transaction& transaction, SinkLink& sink, const std::vector<Claim>& all,
                    Made& made);
  void count_refused(const CourierEvent& event);

  Store& store_;
  const Clock& clock_;
  Waker& waker_;
  const IntakeOptions options_;
  Mailbox<CourierEvent> inbox_;
  Heartbeat heartbeat_;
  Mailbox<ChangeRequest> changes_;
  Mailbox<ChangeOutcome>* outcomes_ = nullptr;
  ChangeContext context_;
  PendingBudget budget_;
  std::vector<SourceSlot> slots_;
  std::vector<SinkLink> sinks_;

  std::map<SourceId, std::string> source_names_;

  // Couriers' reports that no commit holds yet; bounded by the claims under way.
  std::deque<CourierEvent> events_;
  Instant oldest_event_ = kNever;
  bool look_for_batches_ = true;  // something changed that may have made a batch full

  Instant clock_patience_{};     // until then a clock that was never set is waited for
  Instant blocked_until_{};      // the buffer was full: records are tried again then; 0: it is not
  std::string disk_full_;        // as in IntakeStatus
  unsigned full_at_commit_ = 0;  // refusals in a row: not of what was appended, of its commit
  bool committing_ = false;      // how far try_commit() came
  Instant retry_at_{};           // a commit failed: not before then
  Duration retry_delay_{};
  std::string displaced_;  // the buffer's file is not in its place: why
  Instant displaced_since_{};
  Instant next_place_look_{};  // for its place
  Instant next_maintenance_{};
  Instant traffic_due_ = kNever;  // what sinks' connections carried waits so long for other commits
  Instant next_publish_{};
  Instant next_drop_report_{};
  // Full since then, and no sink has made room: what the drop policies wait for before they drop.
  Instant full_since_{};
  std::optional<Instant> last_drop_;
  Instant next_full_report_{};
  bool full_told_ = false;
  Counter dropping_;  // by policy, since the last log line about it
  std::string problem_;
  WallTime problem_since_;
  Instant problem_began_{};
  std::uint64_t commits_ = 0;
  Duration mean_commit_{};  // of the store, as of the last commit
  Duration last_flush_{}, mean_flush_{};
  std::size_t next_source_ = 0;  // round robin
  bool unshown_ = false;         // something is not as it was published
  IntakeStatus shown_;           // as last published
  Published<IntakeStatus> status_;
};

}  // namespace edgehose
