#include "sinks/delivery/backoff.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

const RetryConfig kConfig{1s, 5min};

TEST(Backoff, CeilingDoublesFromInitialToMaxAndStays) {
  EXPECT_EQ(backoff_ceiling(kConfig, 1), 1s);
  EXPECT_EQ(backoff_ceiling(kConfig, 2), 2s);
  EXPECT_EQ(backoff_ceiling(kConfig, 9), 256s);
  EXPECT_EQ(backoff_ceiling(kConfig, 10), 5min);
  EXPECT_EQ(backoff_ceiling(kConfig, 1'000'000'000'000), 5min);
}

TEST(Backoff, CeilingNeverOverflows) {
  const RetryConfig longest{Duration::max() - 1ns, Duration::max()};
  EXPECT_EQ(backoff_ceiling(longest, 3), Duration::max());
}

TEST(Backoff, JitterIsUniformOverTheWholeRange) {
  Random random(7);
  std::array<int, 10> buckets{};
  for (int i = 0; i < 10'000; ++i) {
    const Duration d = full_jitter(100s, random);
    ASSERT_GE(d, 0s);
    ASSERT_LE(d, 100s);
    ++buckets[std::min<std::size_t>(9, static_cast<std::size_t>(d / 10s))];
  }
  // 1,000 each, standard deviation 30.
  for (const int n : buckets) EXPECT_NEAR(n, 1000, 150);
}

TEST(Backoff, JitterDiffersBetweenSeeds) {
  Random a(1), b(2);
  EXPECT_NE(full_jitter(100s, a), full_jitter(100s, b));
}

TEST(Backoff, ServerWishIsALowerBoundButNotBelievedBeyondAnHour) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const Duration d = obey(30s, 4s, random);
    ASSERT_GE(d, 30s);
    ASSERT_LE(d, 34s);
  }
  EXPECT_EQ(obey(48h, 0s, random), 1h);
  EXPECT_EQ(obey(-1s, 0s, random), 0s);
}

TEST(Backoff, ProbesGrowFromAMinuteToFive) {
  Random random(1);
  const std::pair<std::uint64_t, Duration> kLongest[] = {
      {0, 60s}, {1, 120s}, {2, 240s}, {3, 300s}, {1000, 300s}};
  for (const auto& [probes, longest] : kLongest) {
    Duration least = longest, most{};
    for (int i = 0; i < 1000; ++i) {
      const Duration d = probe_interval(probes, random);
      least = std::min(least, d);
      most = std::max(most, d);
    }
    EXPECT_GE(least, longest / 2);
    EXPECT_LE(most, longest);
    EXPECT_GT(most - least, longest / 3) << "those parked together do not probe together";
  }
}

}  // namespace
}  // namespace edgehose
