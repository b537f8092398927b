// What passes between intake, the only writer, and a sink's courier.
#pragma once

#include <string>
#include <variant>

#include "agent/base/types.h"
#include "buffer/state.h"

namespace edgehose {

// courier -> intake. Bounded by the courier's window of claims.
struct Settled {           // delivered, or dead-lettered in part
  SinkId sink;
  Acknowledgement ack;
  std::uint64_t sent_bytes = 0;  // as stored at the destination: feeds the running ratio
};
struct Halve {             // every attempt was refused as too large
  SinkId sink;
  ClaimId claim;
};
struct Learned {           // the sink's persisted note changed
  SinkId sink;
  std::string note;
};
using CourierEvent = std::variant<Settled, Halve, Learned>;

// What status shows of a courier; published by its thread.
struct CourierStatus {
  enum class State { kIdle, kSending, kBackingOff, kParked };
  State state = State::kIdle;
  std::size_t claims = 0;          // held: in flight, waiting for a retry, unacknowledged
  std::uint64_t sent_objects = 0;  // since start
  std::uint64_t sent_bytes = 0;
  std::uint64_t retries = 0;
  std::string last_error;          // empty: none since the last success
  WallTime error_since;
  WallTime last_success;
  Duration next_attempt_in{};      // while backing off or parked
};

}  // namespace edgehose
