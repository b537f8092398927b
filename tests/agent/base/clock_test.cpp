#include "agent/base/clock.h"

#include <gtest/gtest.h>

#include <array>

namespace edgehose {
namespace {

using std::chrono::seconds;

TEST(ManualClock, WaitJumpsToTheDeadline) {
  ManualClock clock(WallTime(1000));
  const Instant start = clock.now();
  clock.wait({}, start + seconds(5));
  EXPECT_EQ(clock.now(), start + seconds(5));
  EXPECT_EQ(clock.wall(), WallTime(5'000'001'000));
  clock.wait({}, kNever);
  EXPECT_EQ(clock.now(), start + seconds(5));
}

TEST(ManualClock, AReadableDescriptorEndsTheWaitAtOnce) {
  ManualClock clock;
  Waker waker;
  const std::array<int, 2> fds{-1, waker.fd()};
  const Instant start = clock.now();
  waker.wake();
  clock.wait(fds, start + seconds(5));
  EXPECT_EQ(clock.now(), start);
  waker.drain();
  clock.wait(fds, start + seconds(5));
  EXPECT_EQ(clock.now(), start + seconds(5));
}

TEST(ManualClock, TheWallClockMayJumpAlone) {
  ManualClock clock;
  const Instant start = clock.now();
  clock.set_wall(WallTime(0));
  EXPECT_EQ(clock.now(), start);
  EXPECT_EQ(clock.wall(), WallTime(0));
}

TEST(SystemClock, GoesForward) {
  const auto clock = make_system_clock();
  const Instant start = clock->now();
  clock->wait({}, start + std::chrono::milliseconds(2));
  EXPECT_GE(clock->now(), start + std::chrono::milliseconds(2));
}

}  // namespace
}  // namespace edgehose
