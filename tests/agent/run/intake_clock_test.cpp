// Sinks whose records go by their time, before this machine's clock was set.
#include <gmock/gmock.h>

#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

constexpr WallTime kUnset(10'000'000'000);  // 1970-01-01T00:00:10Z
constexpr WallTime kSet(1'700'000'000'000'000'000);

class IntakeClockTest : public IntakeTest {
 protected:
  IntakeClockTest() {
    by_time_ = true;
    clock_.set_wall(kUnset);
  }
  // Looks as often as it wants to.
  void pass(Duration time) {
    const Instant end = clock_.now() + time;
    while (clock_.now() < end) {
      const Instant next = std::min(intake_->step(), end);
      clock_.advance(std::max<Duration>(next - clock_.now(), milliseconds(1)));
    }
    run();
  }
};

TEST_F(IntakeClockTest, BatchesAreCutWhenTheClockIsSet) {
  start_with_a_ripe_batch();
  pass(minutes(10));
  EXPECT_TRUE(claims_.take().empty());
  clock_.set_wall(kSet);
  pass(seconds(10));
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].size.records, 10u);
  EXPECT_LT(claims[0].first_time, kEarliestPlausible);
  EXPECT_THAT(claims[0].rendering, testing::StartsWith("r at 17000"));
}

TEST_F(IntakeClockTest, AFullBatchTooIsCutWhenTheClockIsSet) {
  batch_.max_size = 1000;
  batch_.max_age = hours(100);
  start();
  dense_lines(100);
  pass(minutes(2));
  EXPECT_TRUE(claims_.take().empty());
  clock_.set_wall(kSet);
  pass(seconds(70));
  EXPECT_FALSE(claims_.take().empty());
}

TEST_F(IntakeClockTest, AClockThatIsNeverSetIsWaitedForAnHour) {
  start_with_a_ripe_batch();
  pass(minutes(59) + seconds(30));
  EXPECT_TRUE(claims_.take().empty());
  EXPECT_GT(intake_->status().read().batches_at.at("archive"), clock_.now());
  pass(minutes(1));
  EXPECT_EQ(claims_.take().size(), 1u);
}

TEST_F(IntakeClockTest, ItDoesNotSpinWhileItWaits) {
  start_with_a_ripe_batch();
  EXPECT_GE(intake_->step() - clock_.now(), seconds(1));
}

TEST_F(IntakeClockTest, AtItsEndARunWaitsForNoClock) {
  options_.flush = true;
  start();
  lines(10);
  run();
  EXPECT_EQ(claims_.take().size(), 1u);
}

TEST_F(IntakeClockTest, OthersDoNotWait) {
  by_time_ = false;
  start_with_a_ripe_batch();
  EXPECT_EQ(claims_.take().size(), 1u);
}

}  // namespace
}  // namespace edgehose
