// Heartbeat: how a loop shows that it is alive, and how the supervisor sees that it is not. A loop
// says when it works (again between the pieces of long work) and until when it sleeps; one that is
// silent in a piece or oversleeps for too long is wedged: watchdog.h.
//
// Threading: working() and sleeping() by the loop's thread, silence() by any.
#pragma once

#include <algorithm>
#include <atomic>

#include "agent/base/types.h"

namespace edgehose {

class Heartbeat {
 public:
  void working(Instant now) { due_ = now.time_since_epoch().count(); }
  void sleeping(Instant until) { due_ = until.time_since_epoch().count(); }
  // How long ago it should have been heard of; zero while all is well.
  Duration silence(Instant now) const {
    const Instant due{Duration(due_.load(std::memory_order_relaxed))};
    return due >= now ? Duration::zero() : now - due;
  }

 private:
  std::atomic<std::int64_t> due_{Instant::max().time_since_epoch().count()};
};

}  // namespace edgehose
