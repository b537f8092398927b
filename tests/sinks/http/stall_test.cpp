#include "sinks/http/stall.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{Duration(1)};

TEST(StallDetector, ASlowLinkDoesNotStall) {
  StallDetector detector({}, kStart);
  std::uint64_t moved = 0;
  for (Instant now = kStart; now < kStart + 24h; now += 5s)  // 64 kbit/s for a day
    EXPECT_FALSE(detector.stalled(now, moved += 40'000, false));
}

TEST(StallDetector, NothingForTheWindowIsAStall) {
  StallDetector detector({}, kStart);
  EXPECT_FALSE(detector.stalled(kStart + 59s, 0, false));
  EXPECT_TRUE(detector.stalled(kStart + 60s, 0, false));
}

TEST(StallDetector, AByteASecondIsAStall) {
  StallDetector detector({}, kStart);
  bool stalled = false;
  int seconds = 0;
  for (; !stalled && seconds < 1000; ++seconds)
    stalled = detector.stalled(kStart + std::chrono::seconds(seconds), seconds, false);
  EXPECT_EQ(seconds, 61);
}

TEST(StallDetector, AServerMayThink) {
  StallDetector detector({}, kStart);
  EXPECT_FALSE(detector.stalled(kStart + 30s, 5'000, false));
  EXPECT_FALSE(detector.stalled(kStart + 40s, 5'100, true)) << "the wait begins here";
  EXPECT_FALSE(detector.stalled(kStart + 40s + 299s, 5'100, true));
  EXPECT_TRUE(detector.stalled(kStart + 40s + 300s, 5'100, true));
}

TEST(StallDetector, AnotherConnectionBeginsAnew) {
  StallDetector detector({}, kStart);
  EXPECT_FALSE(detector.stalled(kStart + 30s, 5'000, false));
  EXPECT_FALSE(detector.stalled(kStart + 80s, 100, false)) << "fewer bytes: another socket";
  EXPECT_FALSE(detector.stalled(kStart + 139s, 200, false));
  EXPECT_TRUE(detector.stalled(kStart + 140s, 200, false));
}

}  // namespace
}  // namespace edgehose
