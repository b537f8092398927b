// What passes between intake, the only writer, and a sink's courier.
#pragma once

#include <string>
#include <variant>

#include "agent/base/types.h"
#include "agent/base/wire_bytes.h"
#include "buffer/state.h"

namespace edgehose {

// courier -> intake. Bounded by the courier's window of claims: of each claim's Advanced only the
// last one counts.
struct Settled {  // delivered, or dead-lettered in part
  SinkId sink;
  Acknowledgement ack;
  std::uint64_t sent_bytes = 0;  // as stored at the destination: feeds the running ratio
};
struct Halve {  // refused as too large
  SinkId sink;
  ClaimId claim;
  std::uint64_t possible_duplicates = 0;  // records: an earlier attempt may have arrived
};
struct Rekey {  // its key is refused for good, nothing arrived: cut anew under this one
  SinkId sink;
  ClaimId claim;
  std::string key;
};
struct Learned {  // the sink's persisted note changed
  SinkId sink;
  std::string note;
};
struct Advanced {  // a claim's upload in parts has come so far; persisted with what comes next
  SinkId sink;
  ClaimId claim;
  PartialUpload upload;
};
using CourierEvent = std::variant<Settled, Halve, Rekey, Learned, Advanced>;

// What status shows of a courier; published by its thread.
struct CourierStatus {
  // Backing off: the sink, or all that is left to send are claims that wait alone.
  enum class State { kIdle, kSending, kBackingOff, kParked };
  State state = State::kIdle;
  std::size_t in_flight = 0;       // claims that are being sent
  std::size_t queued = 0;          // claims that wait for their turn or a retry
  std::size_t unacknowledged = 0;  // claims that were taken, and not said to be safe there yet
  std::uint64_t sent_objects = 0;  // since start
  std::uint64_t sent_bytes = 0;
  std::uint64_t retries = 0;
  // Attempts, since one succeeded: backing off or parked, or all that is there is held back.
  std::uint64_t failed_in_a_row = 0;
  WireBytes wire;                 // of all its connections, since start
  std::size_t failing_alone = 0;  // claims that fail while others are delivered
  std::string last_error;         // of the sink, else of a claim that fails alone; empty: none
  WallTime error_since;
  std::string past_error;  // the last one that is over
  WallTime past_error_at;  // when it was over
  WallTime last_success;
  Duration next_attempt_in{};  // while backing off or parked
};

}  // namespace edgehose
