// When systemd's watchdog is fed, on a clock of its own.
#include "agent/run/watchdog.h"

#include <gtest/gtest.h>

#include "agent/base/clock.h"
#include "agent/run/heartbeat.h"

namespace edgehose {
namespace {

using std::chrono::seconds;

class WatchdogTest : public testing::Test {
 protected:
  bool due() {
    const Instant now = clock_.now();
    const std::vector<LoopSilence> loops{{"intake", intake_.silence(now), kWedgedIntake},
                                         {"sink archive", courier_.silence(now), kWedgedCourier}};
    return watchdog_.due(now, loops);
  }
  // Whether it is fed at all while that long passes, second by second.
  bool fed_within(seconds time) {
    bool fed = false;
    for (seconds at{0}; at < time; ++at) {
      clock_.advance(seconds(1));
      fed = due() || fed;
    }
    return fed;
  }

  ManualClock clock_;
  Heartbeat intake_, courier_;
  Watchdog watchdog_{seconds(30)};  // of a WatchdogSec=60
};

TEST_F(WatchdogTest, IsFedOncePerInterval) {
  EXPECT_TRUE(due());
  EXPECT_FALSE(due());
  EXPECT_EQ(watchdog_.next(clock_.now()), clock_.now() + seconds(30));
  clock_.advance(seconds(29));
  EXPECT_FALSE(due());
  clock_.advance(seconds(1));
  EXPECT_TRUE(due());
}

TEST_F(WatchdogTest, IsNeverDueWhereNobodyWaits) {
  Watchdog none{std::nullopt};
  EXPECT_FALSE(none.due(clock_.now(), {}));
  EXPECT_EQ(none.next(clock_.now()), kNever);
}

TEST_F(WatchdogTest, ASleepingLoopIsNotSilent) {
  intake_.sleeping(kNever);
  courier_.sleeping(clock_.now() + std::chrono::hours(1));
  clock_.advance(std::chrono::minutes(59));
  EXPECT_TRUE(due());
}

TEST_F(WatchdogTest, ACommitOfHalfAMinuteIsFedThrough) {
  due();
  intake_.working(clock_.now());
  EXPECT_TRUE(fed_within(seconds(31)));
}

TEST_F(WatchdogTest, LongWorkThatBeatsBetweenItsPiecesIsFedThrough) {
  for (int piece = 0; piece < 20; ++piece) {
    intake_.working(clock_.now());
    EXPECT_TRUE(fed_within(seconds(100)));
  }
}

TEST_F(WatchdogTest, AWedgedIntakeStarvesItAndItsReturnFeedsIt) {
  intake_.working(clock_.now());
  clock_.advance(kWedgedIntake);
  EXPECT_TRUE(due());
  EXPECT_FALSE(fed_within(seconds(600)));
  EXPECT_LE(watchdog_.next(clock_.now()), clock_.now() + seconds(1));
  intake_.working(clock_.now());
  EXPECT_TRUE(due());
}

TEST_F(WatchdogTest, AWedgedCourierStarvesIt) {
  courier_.working(clock_.now());
  clock_.advance(kWedgedCourier);
  EXPECT_TRUE(due());
  EXPECT_FALSE(fed_within(seconds(600)));
}

TEST_F(WatchdogTest, ALoopThatOversleepsIsWedged) {
  intake_.sleeping(clock_.now() + seconds(10));
  clock_.advance(seconds(10) + kWedgedIntake + seconds(1));
  EXPECT_FALSE(due());
}

}  // namespace
}  // namespace edgehose
