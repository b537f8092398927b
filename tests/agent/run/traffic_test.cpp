#include "agent/run/traffic.h"

#include <gtest/gtest.h>

#include "agent/base/check.h"

namespace edgehose {
namespace {

constexpr std::int64_t kOneSecond = 1'000'000'000;
constexpr std::uint32_t kMay = 676, kJune = 677, kJuly = 678;  // of 2026

WireBytes sent(std::uint64_t bytes) { return {bytes, bytes / 10}; }

TimeZone zone(std::string_view name) {
  auto zone = TimeZone::load(name);
  EH_CHECK(zone.has_value());
  return std::move(*zone);
}

TEST(Traffic, DatesAreThoseOfTheAgentsTimeZone) {
  const WallTime late(1'780'264'800 * kOneSecond);  // 2026-05-31T22:00:00Z
  const LocalDate there = local_date(late, zone("Europe/Berlin"));
  const LocalDate here = local_date(late, zone("UTC"));
  EXPECT_EQ(here.month, kMay);
  EXPECT_EQ(there.month, kJune);
  EXPECT_EQ(there.day, here.day + 1);
}

TEST(Traffic, APlainlyWrongClockHasNoDate) {
  EXPECT_EQ(local_date(WallTime(86'400 * kOneSecond), zone("UTC")).day, kUndated);
  EXPECT_EQ(local_date(WallTime(-kOneSecond), zone("UTC")).month, kUndated);
}

TEST(Traffic, ANewPeriodBeginsAtZero) {
  TrafficPeriod period;
  count(period, sent(100), kMay);
  count(period, sent(20), kMay);
  EXPECT_EQ(counted(period, kMay), (WireBytes{120, 12}));
  EXPECT_EQ(counted(period, kJune), WireBytes{}) << "nothing yet, and nothing was counted";
  count(period, sent(10), kJune);
  EXPECT_EQ(counted(period, kJune), sent(10));
}

// A device without a clock of its own boots in 1970, or at its system's build time.
TEST(Traffic, ABootInThePastKeepsTheMonthsCount) {
  for (const std::uint32_t past : {kUndated, kMay - 20}) {
    TrafficPeriod period;
    count(period, sent(500), kMay);
    count(period, sent(10), past);
    EXPECT_EQ(counted(period, past), sent(510));
    count(period, sent(20), kMay);
    EXPECT_EQ(counted(period, kMay), sent(530));
    count(period, sent(1000), kJune);
    EXPECT_EQ(counted(period, kJune), sent(1000));
  }
}

TEST(Traffic, WhatWasSentInThePastCountsInTheMonthThatItTurnsOutToBe) {
  TrafficPeriod fresh;
  count(fresh, sent(10), kUndated);
  count(fresh, sent(10), kMay);
  EXPECT_EQ(counted(fresh, kMay), sent(20));
  TrafficPeriod over_the_months_end;
  count(over_the_months_end, sent(500), kMay);
  count(over_the_months_end, sent(10), kMay - 20);
  count(over_the_months_end, sent(10), kJune);
  EXPECT_EQ(counted(over_the_months_end, kJune), sent(20));
}

TEST(Traffic, AClockThatWasAheadComesBackToItsCount) {
  TrafficPeriod period;
  count(period, sent(500), kMay);
  count(period, sent(10), kJuly + 120);
  count(period, sent(20), kMay);
  EXPECT_EQ(counted(period, kMay), sent(530));
}

TEST(Traffic, AClockThatWasAheadFromTheBeginningIsForgottenAtTheNextMonth) {
  TrafficPeriod period;
  count(period, sent(10), kJuly + 120);
  count(period, sent(500), kMay);
  EXPECT_EQ(counted(period, kMay), sent(510));
  count(period, sent(100), kJune);
  EXPECT_EQ(counted(period, kJune), sent(100));
}

TEST(Traffic, MidnightTwiceIsOneDay) {
  TrafficPeriod period;
  count(period, sent(100), 20'000);
  count(period, sent(10), 20'001);
  count(period, sent(10), 20'000);
  EXPECT_EQ(counted(period, 20'000), sent(120));
  count(period, sent(10), 20'001);
  EXPECT_EQ(counted(period, 20'001), sent(10));
}

TEST(TrafficMeter, CountsOnFromWhatEarlierLivesCounted) {
  ManualClock clock;
  clock.set_wall(WallTime(1'780'000'000 * kOneSecond));
  const LocalDate today = local_date(clock.wall(), zone("UTC"));
  SinkTraffic saved;
  count(saved, sent(100), today);
  WireBytes since_start;
  TrafficMeter meter(zone("UTC"), clock, [&] { return since_start; });
  meter.begin(saved);
  EXPECT_EQ(meter.now(), saved) << "nothing moved: nothing to commit";
  since_start = sent(50);
  EXPECT_EQ(meter.now().ever, sent(150));
  since_start = sent(60);
  EXPECT_EQ(counted(meter.now().day, today.day), sent(160));
  clock.set_wall(WallTime(1'780'086'400 * kOneSecond));
  EXPECT_EQ(meter.now().ever, sent(160));
  EXPECT_EQ(counted(meter.now().day, today.day + 1), WireBytes{});
}

}  // namespace
}  // namespace edgehose
