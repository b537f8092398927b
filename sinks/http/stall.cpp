#include "sinks/http/stall.h"

namespace edgehose {

bool StallDetector::stalled(Instant now, std::uint64_t bytes, bool awaiting) {
  if (bytes < bytes_ || bytes - bytes_ >= limits_.min_bytes || awaiting != awaiting_) {
    mark_ = now;
    bytes_ = bytes;
    awaiting_ = awaiting;
  }
  return now - mark_ >= (awaiting ? limits_.answer : limits_.window);
}

}  // namespace edgehose
