// Clock: the only way to learn the time and the only way to wait, so that a test owns both.
// Waker: how one thread ends another's wait.
//
// Threading: a Clock may be used by any thread; a Waker's wake() too, its drain() by its owner.
#pragma once

#include <memory>
#include <span>

#include "agent/base/types.h"

namespace edgehose {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;    // monotonic
  virtual WallTime wall() const = 0;  // may jump either way
  // Returns when one of the descriptors is readable or the deadline has passed, whichever is first.
  // Descriptors below 0 are ignored. May return early.
  virtual void wait(std::span<const int> descriptors, Instant deadline) = 0;
};

// A clock that says less (2023-01-01) was not set since the machine began: boards without a battery
// begin in 1970, or when their system was made.
constexpr WallTime kEarliestPlausible(1'672'531'200'000'000'000);
constexpr bool is_plausible(WallTime time) { return time >= kEarliestPlausible; }

// The machine's clock (CLOCK_BOOTTIME where there is one, so that timers run on through a suspend).
std::unique_ptr<Clock> make_system_clock();

// A clock that moves only when told, or when somebody waits: wait() returns at once if a descriptor
// is readable, else jumps to the deadline. For one thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime wall = WallTime(1'700'000'000'000'000'000)) : wall_(wall) {}
  Instant now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void wait(std::span<const int> descriptors, Instant deadline) override;
  void advance(Duration by);                  // both times
  void set_wall(WallTime to) { wall_ = to; }  // a jump of the wall clock alone

 private:
  Instant now_{Duration(1)};
  WallTime wall_;
};

class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  void wake();   // any thread, also a signal handler
  void drain();  // forgets the wakes so far
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace edgehose
