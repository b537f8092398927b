// What a sink's connections carried is committed with what is committed anyway.
#include <gtest/gtest.h>

#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

class IntakeTraffic : public IntakeTest {
 protected:
  IntakeTraffic() {
    meter_ =
        std::make_shared<TrafficMeter>(*TimeZone::load("UTC"), clock_, [this] { return carried_; });
  }
  SinkTraffic kept() {
    const auto sinks = store_->sinks();
    EH_CHECK(sinks && sinks->size() == 1);
    return sinks->front().traffic;
  }
  std::uint64_t commits() const { return store_->usage().commits; }
  void a_minute_passes() {
    clock_.advance(minutes(1));
    run();
  }

  WireBytes carried_;
};

TEST_F(IntakeTraffic, RidesWhatIsCommittedAnyway) {
  start();
  const std::uint64_t before = commits();
  carried_ = {1000, 100};
  for (int i = 0; i < 30; ++i) a_minute_passes();
  EXPECT_EQ(commits(), before) << "no commit of its own";
  lines(1);
  run();
  a_minute_passes();
  EXPECT_EQ(commits(), before + 1);
  EXPECT_EQ(kept().ever, carried_);
}

TEST_F(IntakeTraffic, AloneItWaitsForAnHour) {
  start();
  const std::uint64_t before = commits();
  carried_ = {1000, 100};
  for (int i = 0; i < 63; ++i) a_minute_passes();
  EXPECT_EQ(commits(), before + 1);
  EXPECT_EQ(kept().ever, carried_);
  for (int i = 0; i < 120; ++i) a_minute_passes();
  EXPECT_EQ(commits(), before + 1) << "nothing more moved";
}

TEST_F(IntakeTraffic, AStopKeepsItAndTheNextLifeGoesOn) {
  start();
  carried_ = {1000, 100};
  ASSERT_TRUE(intake_->stop());
  crash();
  carried_ = {};
  meter_ =
      std::make_shared<TrafficMeter>(*TimeZone::load("UTC"), clock_, [this] { return carried_; });
  start();
  carried_ = {10, 1};
  ASSERT_TRUE(intake_->stop());
  EXPECT_EQ(kept().ever, (WireBytes{1010, 101}));
}

TEST_F(IntakeTraffic, ALearnedNoteAndTheCountKeepEachOther) {
  start();
  carried_ = {1000, 100};
  intake_->inbox().post(Learned{SinkId(1), "region=eu-north-1"});
  run();
  carried_ = {2000, 100};
  lines(1);
  run();
  a_minute_passes();
  const auto sinks = store_->sinks();
  ASSERT_TRUE(sinks);
  EXPECT_EQ(sinks->front().note, "region=eu-north-1");
  EXPECT_EQ(sinks->front().traffic.ever, carried_);
}

}  // namespace
}  // namespace edgehose
