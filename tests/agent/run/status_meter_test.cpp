#include "agent/run/status_meter.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

StoreUsage usage(std::uint64_t used, std::uint64_t raw) {
  StoreUsage u;
  u.limit = 100'000;
  u.used = used;
  u.committed_raw = raw;
  return u;
}

TEST(BufferMeter, KnowsNothingBeforeItHasTwoSamples) {
  BufferMeter meter;
  EXPECT_FALSE(meter.rates().full_in);
  meter.sample(Instant(1s), usage(0, 0), {0, {}});
  EXPECT_FALSE(meter.rates().full_in);
  EXPECT_FALSE(meter.rates().write_ratio);
}

TEST(BufferMeter, ASteadyGrowthTellsWhenItIsFull) {
  BufferMeter meter;
  for (int i = 0; i <= 10; ++i)
    meter.sample(Instant(std::chrono::seconds(10 * i + 1)),
                 usage(static_cast<std::uint64_t>(i) * 1000, 0), {});
  // 90,000 bytes are free, 100 come a second.
  ASSERT_TRUE(meter.rates().full_in);
  EXPECT_NEAR(static_cast<double>(meter.rates().full_in->count()) / 1e9, 900.0, 2.0);
}

TEST(BufferMeter, ABurstAtTheStartSaysNothing) {
  BufferMeter meter;
  meter.sample(Instant(1s), usage(0, 0), {});
  meter.sample(Instant(31s), usage(90'000, 0), {});
  EXPECT_FALSE(meter.rates().full_in);
  meter.sample(Instant(61s), usage(90'000, 0), {});
  ASSERT_TRUE(meter.rates().full_in) << "a minute of it does";
  EXPECT_GT(*meter.rates().full_in, Duration(5s));
}

TEST(BufferMeter, AShrinkingBufferIsNeverFull) {
  BufferMeter meter;
  meter.sample(Instant(1s), usage(5000, 0), {});
  meter.sample(Instant(11s), usage(4000, 0), {});
  EXPECT_FALSE(meter.rates().full_in);
}

TEST(BufferMeter, WritesPerRawByteAndPerDay) {
  BufferMeter meter;
  meter.sample(Instant(1s), usage(0, 1000), {500, 1 << 20});
  meter.sample(Instant(31s), usage(0, 11'000), {2500, 1 << 20});
  EXPECT_DOUBLE_EQ(*meter.rates().write_ratio, 0.2);
  EXPECT_FALSE(meter.rates().writes_per_day) << "half a minute says nothing of a day";
  meter.sample(Instant(101s), usage(0, 21'000), {4500, (1 << 20) + 10'000});
  EXPECT_DOUBLE_EQ(*meter.rates().writes_per_day, 4000.0 / 100.0 * 86400.0);
  EXPECT_DOUBLE_EQ(*meter.rates().device_per_day, 10'000.0 / 100.0 * 86400.0);
}

}  // namespace
}  // namespace edgehose
