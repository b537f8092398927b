// Courier: one per sink. Takes persisted claims, makes each into a request, has a transport send
// it, lets the sink judge the answer, and reports the outcome to intake, the only writer. Retry,
// back-off, parking, halving and dead letters exist here, once, for every kind of sink.
//
// Invariants:
//  - each claim ends in exactly one event (Settled or Halve), or is held still when the process
//    stops: it is persisted, and comes again through the mailbox at the next start;
//  - each of its records is delivered, refused or unreadable when it is settled, and one of them
//    only;
//  - a claim is never given up for time or attempts alone; but for a record that something between
//    here and there refuses again and again while others pass: it becomes a dead letter;
//  - at most `concurrency` requests are under way; one at a time while the sink fails;
//  - a second attempt has the key, records and rendering of the first: all come from the claim;
//  - a claim is cut anew (halved, or given another key) only where nothing of it may have arrived,
//    or where the destination would tell;
//  - a claim with a receipt is asked for, and takes no request's slot while it waits;
//  - a replay of dead letters starts when no other claim could, even while intake cannot take
//    outcomes; what is refused again stays a dead letter and says nothing of the sink.
//
// Failures: a Retry makes the whole sink wait (full jitter, doubling), unless others were delivered
// since the claim last failed: then only this claim waits. Park probes with one request within 60
// s, later 5 min, until one succeeds. Ten batches in a row refused whole for one reason park the
// sink too: a misconfigured destination must not drain the stream into the dead letters.
//
// Threading: step() and stop() belong to one thread (courier_thread.h, or a simulator); claims(),
// holds(), status() and waker() are for any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/mailbox.h"
#include "buffer/store.h"
#include "sinks/delivery/backoff.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/delivery/dead_letters.h"
#include "sinks/delivery/events.h"
#include "sinks/delivery/line_gate.h"
#include "sinks/delivery/transport.h"
#include "sinks/object/object_encoder.h"
#include "sinks/sink.h"

namespace edgehose {

// Opens the bytes of a batch; called anew for every attempt. kInvalid and kUnsupported park the
// sink, other errors are retried.
using OpenBody = std::function<Result<std::shared_ptr<ObjectBody>>(const Batch&)>;

// Bodies as objects (object/object_encoder.h), rendered as the claim says.
OpenBody object_bodies(Store& store);

struct CourierOptions {
  RetryConfig retry{};
  unsigned concurrency = 2;
  Recognises recognises = Recognises::kKey;
  std::uint64_t seed = 0;  // of the jitter: differs between devices
};

class Courier {
 public:
  static constexpr unsigned kRefusedInARow = 10;
  // Refused by something on the way so often although others pass: it is halved; one record, that
  // is an hour later, is given up.
  static constexpr unsigned kParkedAlone = 5, kOneParkedAlone = 20;

  // All of them outlive the courier. `outcomes` is intake's mailbox.
  Courier(std::shared_ptr<const Sink> sink, std::unique_ptr<Transport> transport,
          OpenBody open_body, Store& store, const Clock& clock, Mailbox<CourierEvent>& outcomes,
          CourierOptions options);

  // New and resumed claims alike; bounded by intake's window.
  Mailbox<Claim>& claims() { return claims_; }
  // Why intake cannot take this sink's outcomes (the dead letters' quota is full): no request
  // starts until an empty string says that it can again.
  Mailbox<std::string>& holds() { return holds_; }
  const Published<CourierStatus>& status() const { return status_; }
  // What the courier's thread is in, while step() does not return.
  Call call() const { return transport_->call(); }
  Waker& waker() { return waker_; }
  // A person changed the sink's note in the store: it counts from the next probe on.
  void note_changed() {
    note_changed_ = true;
    waker_.wake();
  }

  // Bounded work; returns when it wants to be called next (earlier when a descriptor is readable).
  Instant step();
  // Nothing is rushed: what is under way is abandoned, and step() does nothing from now on.
  void stop();
  std::vector<int> descriptors() const;  // the waker's included

 private:
  enum class State { kOpen, kBackingOff, kParked };
  // What is known of a claim's records: all but batch.left.
  struct Told {
    std::uint64_t delivered = 0;
    std::uint64_t omitted = 0;     // there was nothing to be sent of them: counted as delivered
    std::uint64_t duplicates = 0;  // possible ones, of all that is told of
    Refusals refused;
    Counter lost;                  // unreadable ones, as far as attempts told
    std::uint64_t sent_bytes = 0;  // of the first attempt that was told of: it had all of them
    bool waited_out = false;       // some were refused because they were held back for too long
    bool all = false;              // only the dead letters are to be read yet
    bool nobody_asked = false;     // nothing was left to be sent at last
  };
  struct Held {
    Batch batch;
    std::uint32_t attempts = 0;
    std::uint64_t round = 0;                       // of the last attempt
    std::optional<RequestId> request;              // under way
    std::shared_ptr<ObjectBody> body;              // while an upload in parts holds some of it
    std::shared_ptr<const ObjectSummary> summary;  // of the last attempt
    bool maybe_arrived = false;                    // an earlier attempt of this life
    Told told;
    // After a refusal an attempt holds a slice of what is left: batch.left; the rest of it.
    std::vector<SequenceRange> later;
    bool from_end = false;      // the slice is the last of what is left
    unsigned parked_alone = 0;  // how often in a row, although others were delivered between
    unsigned refusals = 0;      // of a replay: answers that refused, since its last delivery
    std::string group;          // Poll::group, while it has a receipt
    std::optional<std::uint64_t> serial;     // Poll::serial, the same
    std::uint64_t receipts_then = 0;         // receipts_ when its last attempt was sent
    std::uint64_t receipt_number = 0;        // receipts_ when it got its receipt
    bool overlapped = false;                 // asked for while its serial could be given anew
    std::optional<Instant> waits_since;      // the last word was that it waits; none: it was not
    std::optional<std::uint64_t> failed_at;  // deliveries_ at its last failure
    std::uint64_t own_failures = 0;          // while others were delivered
    std::string own_error;                   // the last of them
    WallTime own_error_since;
    Instant not_before{};
  };

  // Of receipts: it is there while a claim has one of them.
  struct Group {
    std::optional<std::uint64_t> highest;  // serial
    std::uint64_t highest_number = 0;      // receipts_ when it came
    // Batches that may have arrived somewhere without a receipt: each may have taken a serial.
    std::uint64_t unclear = 0;
  };

  // courier.cpp: what comes in, what goes out
  void take_claims();
  void take_holds();
  void start_requests(Instant now);
  Held* next_to_start(Instant now);
  bool may_start(const Held& held) const;
  bool goes_before(const Held& held, const Held& other) const;
  Instant due(const Held& held) const;
  Instant next_start(Instant now) const;
  void start(Held& held, Instant now);
  Status prepare(Held& held);
  void send(Held& held, Instant now);
  void begin_request(const std::vector<Held*>& claims, Request request,
                     std::shared_ptr<const ObjectSummary> body);
  void finish(const Completion& completion, Instant now);
  void judge(Held& held, const Response& response, Instant now);
  Result<std::shared_ptr<ObjectBody>> body_of(Held& held);
  void take_advances();
  void forget(Held& held);
  bool is_leftover(const std::string& key);
  Instant next_attempt(Instant now) const;
  void publish(Instant now);

  // courier_note.cpp: what the sink has learned
  Status load_note(SinkId id);
  bool is_lesson(const Held& held, const Verdict& verdict) const;
  void learn(const Held& held, const Response& response);
  std::string present_key(const Batch& batch) const;  // were it cut now

  // courier_verdicts.cpp: what an answer leads to; `held` may be gone afterwards
  void conclude(Held& held, const Verdict& verdict, Instant now);
  void retry(Held& held, const Retry& verdict, Instant now);
  void back_off(Held& held, const std::string& reason, std::optional<Duration> after, Instant now);
  void too_large(Held& held, const TooLarge& verdict, Instant now);
  void key_refused(Held& held, const KeyRefused& verdict, Instant now);
  void parked(Held& held, const Park& verdict, Instant now);
  bool is_given_up_alone(Held& held);
  void park(Held& held, const Park& verdict, Instant now);
  void park_unsure(Held& held, std::string_view what, std::string_view reason, Instant now);
  bool counts(const Held& held) const;
  bool fails_alone(Held& held);
  void wait_alone(Held& held, const std::string& reason, Duration pause, Instant now);
  void at_ease(Held& held);
  bool may_cut_anew(const Held& held, bool absent) const;
  void answered(const Held& held, Instant now);
  void recovered(Instant now);
  void rest(Duration pause, Instant now);
  void past(const std::string& error);
  void failed(const Held& held, State state, const std::string& reason, Instant now, Instant next);

  // courier_records.cpp: what is known of a claim's records, and how it is settled
  void delivered(Held& held, const Delivered& verdict, Instant now);
  void rejected(Held& held, const Rejected& verdict, Instant now);
  void partly(Held& held, const Partly& verdict, Instant now);
  void got_further(Held& held, Instant now);
  std::uint64_t sent_records(const Held& held) const;
  std::uint64_t take_in(Held& held, const std::vector<Rejected>& refused, std::uint64_t again);
  void told_of_all(Held& held, Instant now);
  bool park_refused(Held& held, Instant now);
  void tell_refusal(const Held& held, std::size_t letters, Instant now);
  void settle(Held& held, std::vector<DeadLetter> dead);
  std::uint64_t unsure(const Held& held) const;
  std::uint64_t sent_anew(const Held& held) const;
  void count_delivery();

  // courier_slices.cpp: how much of what is left goes next
  void go_on(Held& held, const std::string& reason, std::uint64_t sent, bool delivered,
             Instant now);
  void slice_delivered(Held& held, std::uint64_t sent, bool delivered, Instant now);
  bool only_refused(Held& held, bool delivered);
  void cut_slice(Held& held, std::uint64_t records);

  // courier_polls.cpp: what was taken, and is asked for
  void ask_for(Held& held, Instant now);
  void poll(Held& held, const Poll& verdict, Instant now);
  void drop_receipt(Held& held);
  void take_receipt(Held& held, const Poll& verdict);
  void end_receipt(Held& held);
  void forget_groups();
  void sent_unclear();
  void sent_meanwhile();
  std::uint64_t batches_under_way() const;
  bool may_be_given_anew(const Held& held, std::uint64_t batches) const;
  bool waits_for_batches(const Held& held) const;
  bool is_asked_first(Instant now) const;

  const std::shared_ptr<const Sink> sink_;
  const std::unique_ptr<Transport> transport_;
  const OpenBody open_body_;
  Store& store_;
  const Clock& clock_;
  Mailbox<CourierEvent>& outcomes_;
  const CourierOptions options_;
  Random random_;

  Waker waker_;
  Mailbox<Claim> claims_{waker_};
  Mailbox<std::string> holds_{waker_};
  Published<CourierStatus> status_;

  std::map<ClaimId, Held> held_;                         // oldest first
  std::map<RequestId, std::vector<ClaimId>> under_way_;  // several: a poll's
  std::map<std::string, Group> groups_;
  std::uint64_t receipts_ = 0;  // that were got
  Instant question_until_{};    // nothing is sent before, or until what was asked is answered
  RequestId next_request_{1};
  std::map<SourceId, std::string> source_names_;
  std::optional<std::string> note_;  // the sink's persisted note; none: not loaded yet
  bool note_persisted_ = false;      // the store was seen to have it
  std::atomic<bool> note_changed_{false};
  std::string hold_;
  WallTime hold_since_;

  State state_ = State::kOpen;
  Instant next_attempt_{};      // while not open
  Instant rests_until_{};       // nothing is sent before: the destination has asked for it
  bool asking_fails_ = false;   // it was a receipt that could not be asked for
  std::uint64_t round_ = 1;     // grows with each failure of the sink
  std::uint64_t failures_ = 0;  // of the sink in a row
  std::uint64_t probes_ = 0;    // since it was parked
  std::uint64_t deliveries_ = 0;
  Instant failing_since_{};    // while not open
  bool failure_told_ = false;  // in the log
  LineGate parked_lines_, backoff_lines_, alone_lines_, refusal_lines_, halving_lines_, key_lines_;
  std::string refusal_;  // the kind for which batches in a row were refused whole
  unsigned refused_ = 0;
  unsigned refusals_only_ = 0;  // answers that refused one record, since the last delivery
  bool stopped_ = false;
  CourierStatus report_;
};

}  // namespace edgehose
