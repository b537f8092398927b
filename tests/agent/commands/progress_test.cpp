#include "agent/run/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kOneMiB = 1 << 20;
constexpr Instant kStart(1s);

Progress half_way() {
  Progress progress{.bytes_total = 200 * kOneMiB, .bytes_read = 200 * kOneMiB, .started = kStart};
  progress.records = 1000;
  progress.waiting = progress.delivered = 500;
  return progress;
}

TEST(Progress, WhatIsAcknowledgedCounts) {
  EXPECT_EQ(bytes_done(half_way()), 100 * kOneMiB);
  Progress all = half_way();
  all.waiting = 0;
  EXPECT_EQ(bytes_done(all), 200 * kOneMiB);
}

TEST(Progress, ABarWithRateAndTimeLeft) {
  EXPECT_EQ(progress_bar(half_way(), kStart + 10s, 79),
            "[###############---------------]  50 %  100 MiB of 200 MiB  10 MiB/s  10 s left");
}

TEST(Progress, ABarFitsItsWidth) {
  for (const unsigned width : {10u, 40u, 60u, 79u, 200u})
    EXPECT_LE(progress_bar(half_way(), kStart + 10s, width).size(), width);
}

TEST(Progress, APlainLine) {
  EXPECT_EQ(
      progress_line(half_way(), kStart + 10s),
      "read 200 MiB of 200 MiB (1,000 records), delivered 500 records, 50 %, 10 MiB/s, 10 s left");
}

TEST(Progress, EarlierRunsAndWhatWasGivenUpAreTold) {
  Progress progress = half_way();
  progress.earlier = 900;
  progress.delivered = 480;
  EXPECT_EQ(progress_line(progress, kStart + 10s),
            "read 200 MiB of 200 MiB (100 records and 900 of earlier runs), delivered 480 records, "
            "gave up 20, 50 %, 10 MiB/s, 10 s left");
}

TEST(Progress, TheBarIsFullOnlyAtTheEnd) {
  Progress progress = half_way();
  progress.waiting = 1;
  EXPECT_THAT(progress_bar(progress, kStart + 10s), ::testing::HasSubstr(" 99 %"));
  progress.waiting = 0;
  EXPECT_EQ(progress_bar(progress, kStart + 10s, 79),
            "[##############################] 100 %  200 MiB of 200 MiB  20 MiB/s  took 10 s");
}

TEST(Progress, NothingThereIsDone) {
  EXPECT_THAT(progress_bar({.started = kStart}, kStart), ::testing::HasSubstr("100 %"));
}

TEST(Progress, BeforeAnythingIsAcknowledgedNoTimeIsGuessed) {
  Progress progress = half_way();
  progress.waiting = 1000;
  EXPECT_THAT(progress_line(progress, kStart + 1s),
              ::testing::HasSubstr("nothing acknowledged yet"));
}

TEST(ProgressPrinter, PlainOutputIsALineEveryFiveSeconds) {
  std::FILE* file = std::tmpfile();
  ProgressPrinter printer(file, false);
  for (int tenth = 0; tenth <= 100; ++tenth)
    printer.update(half_way(), kStart + std::chrono::milliseconds(100) * tenth);
  printer.finish(half_way(), kStart + 10s);  // told already
  const long size = std::ftell(file);
  std::rewind(file);
  std::string text(static_cast<std::size_t>(size), '\0');
  ASSERT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_EQ(text.find('\033'), std::string::npos);
}

}  // namespace
}  // namespace edgehose
