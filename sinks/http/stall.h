// StallDetector: whether a transfer still moves. Judged by bytes over a window, never by a total
// time: a slow link may take as long as it needs. Pure.
#pragma once

#include <cstdint>

#include "agent/base/types.h"

namespace edgehose {

struct StallLimits {
  Duration window = std::chrono::seconds(60);
  // In each window, either way. On the wire: a byte of an answer is a record of up to 30 in TLS,
  // and a server that says one a second says nothing.
  std::uint64_t min_bytes = 4 << 10;
  // Between the last byte of a request and the first of its answer's text: servers may think.
  Duration answer = std::chrono::minutes(5);
};

class StallDetector {
 public:
  StallDetector(const StallLimits& limits, Instant now) : limits_(limits), mark_(now) {}

  // `bytes`: all that has reached the peer or come from it so far. `awaiting`: everything was sent
  // and acknowledged, and of the answer at most its head and blanks have come.
  bool stalled(Instant now, std::uint64_t bytes, bool awaiting);

 private:
  StallLimits limits_;
  Instant mark_;  // min_bytes moved, or the wait began
  std::uint64_t bytes_ = 0;
  bool awaiting_ = false;
};

}  // namespace edgehose
