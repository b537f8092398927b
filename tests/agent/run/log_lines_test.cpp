// What the log says at the start and every hour, on a clock of its own.
#include "agent/run/log_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/clock.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;

TEST(LogLines, TheStartTellsWhatItIsAndHowLateACommitMayBe) {
  StartFigures f;
  f.version = "0.1.0";
  f.agent = "gw-0042";
  f.data_dir = "/var/lib/edgehose";
  f.sources = 1;
  f.sinks = 2;
  f.used = 12u << 20;
  f.limit = 512u << 20;
  f.profile = "sd_card";
  f.commit_limit = 60s;
  EXPECT_THAT(start_lines(f),
              ::testing::ElementsAre(
                  "edgehose 0.1.0 starts: agent gw-0042, 1 source, 2 sinks, data in "
                  "/var/lib/edgehose",
                  "buffer: 12 MiB of 512 MiB used, profile sd_card: records wait 1 m at most for "
                  "their commit"));
}

TEST(LogLines, AnHourInALine) {
  const HourFigures figures{1'234'567, 1, 3, 4096, 118u << 20, 512u << 20};
  EXPECT_EQ(hour_line(figures, 3h + 5s),
            "up 3 h: 1,234,567 records read, 4 KiB behind, 1 batch delivered, 3 retries; buffer "
            "118 MiB of 512 MiB");
}

class HourlyTest : public ::testing::Test {
 protected:
  // How many lines while that long passes, asked every minute as main's loop may be.
  int lines_within(std::chrono::minutes time) {
    int lines = 0;
    for (std::chrono::minutes at{0}; at < time; ++at) {
      clock_.advance(1min);
      lines += hourly_.due(clock_.now()) ? 1 : 0;
    }
    return lines;
  }
  ManualClock clock_;
  Hourly hourly_{clock_.now()};
};

TEST_F(HourlyTest, ALineForEachHourAndNoneAtTheStart) {
  EXPECT_EQ(lines_within(59min), 0);
  EXPECT_EQ(lines_within(1min), 1);
  EXPECT_EQ(lines_within(60min * 24), 24);
}

TEST_F(HourlyTest, ALoopThatComesLateKeepsTheHour) {
  const Instant start = clock_.now();
  clock_.advance(1h + 7min);
  EXPECT_TRUE(hourly_.due(clock_.now()));
  EXPECT_EQ(hourly_.next(), start + 2h);
}

TEST_F(HourlyTest, ASuspendOfADayIsOneLine) {
  clock_.advance(24h);
  EXPECT_EQ(lines_within(59min), 1);
  EXPECT_EQ(lines_within(60min), 1);
}

TEST_F(HourlyTest, TheWallClockHasNoSay) {
  clock_.set_wall(WallTime(0));
  EXPECT_EQ(lines_within(60min), 1);
}

}  // namespace
}  // namespace edgehose
