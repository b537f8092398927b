#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/commands/check_report.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kMebibyte = 1 << 20;

Findings told(const DiskUse& use, WhenFull when_full = WhenFull::kBlock, unsigned percent = 5) {
  Config config;
  config.agent.data_dir = "/var/lib/edgehose";
  config.buffer.when_full = when_full;
  config.buffer.free_disk_percent = percent;
  Findings findings;
  tell_disk(config, use, findings);
  return findings;
}

// A disk of 1000 MiB.
DiskUse use_of(std::uint64_t free, std::uint64_t owned, std::uint64_t limit, std::uint64_t worst,
               unsigned percent = 5) {
  DiskUse use{{}, limit * kMebibyte, worst * kMebibyte};
  use.disk.free = free * kMebibyte;
  use.disk.floor = 1000 * kMebibyte / 100 * percent;
  use.disk.owned = static_cast<std::int64_t>(owned * kMebibyte);
  use.disk.above_floor = static_cast<std::int64_t>(
      use.disk.free > use.disk.floor ? use.disk.free - use.disk.floor : 0);
  return use;
}

TEST(CheckDisk, WithRoomForTheWorstNothingIsSaid) {
  const Findings findings = told(use_of(290, 0, 32, 240));
  EXPECT_THAT(findings.errors, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty());
}

TEST(CheckDisk, AWorstCaseThatHasNoRoomIsAWarningWithFigures) {
  const DiskUse use = use_of(150, 20, 512, 1400);
  const Findings findings = told(use);
  EXPECT_THAT(findings.errors, IsEmpty()) << "the agent keeps to the floor";
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0],
              HasSubstr("at worst it takes 1.4 GiB, and its file system has room for 120 MiB of "
                        "that: 50 MiB (5 %, buffer.free_disk_percent) stay free"));
  EXPECT_THAT(findings.warnings[0],
              HasSubstr("reading stops before the buffer is at its limit of 512 MiB"));
  EXPECT_THAT(told(use, WhenFull::kDropOldest).warnings[0], HasSubstr("records are dropped"));
  EXPECT_THAT(told(use_of(150, 20, 512, 1400, 0), WhenFull::kBlock, 0).warnings[0],
              HasSubstr("has room for 170 MiB"));
}

// The reserve of a buffer of 32 MiB is 8 MiB: as long as it does not fit nothing does.
TEST(CheckDisk, ADiskThatTakesNoRecordIsAnError) {
  const auto small = [](std::uint64_t free, std::uint64_t owned, std::uint64_t limit) {
    DiskUse use{{}, limit * kMebibyte, 240 * kMebibyte};
    use.disk.free = free * kMebibyte;
    use.disk.owned = static_cast<std::int64_t>(owned * kMebibyte);
    use.disk.above_floor = static_cast<std::int64_t>(free * kMebibyte / 100 * 95);
    return use;
  };
  const Findings findings = told(small(8, 0, 32));
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0], HasSubstr("has 8 MiB free, and a buffer of 32 MiB "
                                            "(buffer.max_size) keeps 8 MiB in reserve: nothing "
                                            "could be stored"));
  EXPECT_THAT(findings.warnings, IsEmpty());
  EXPECT_THAT(told(small(9, 0, 32)).errors, IsEmpty());
  EXPECT_THAT(told(small(8, 0, 16)).errors, IsEmpty()) << "a lower limit helps";
  EXPECT_THAT(told(small(0, 9, 32)).errors, IsEmpty()) << "the buffer has its reserve";
  EXPECT_EQ(told(small(2, 1, 32)).errors.size(), 1u) << "the buffer is there and empty";
  DiskUse held = small(2, 1, 32);
  held.holds_records = true;
  EXPECT_THAT(told(held).errors, IsEmpty()) << "sinks will make room";
}

// What the buffer has already is no new demand.
TEST(CheckDisk, WhatTheBufferHasCountsAsRoom) {
  EXPECT_THAT(told(use_of(150, 140, 32, 240)).warnings, IsEmpty());
  EXPECT_EQ(told(use_of(150, 139, 32, 240)).warnings.size(), 1u);
}

TEST(CheckDisk, LessFreeThanTheFloorIsAWarning) {
  const Findings findings = told(use_of(49, 900, 32, 240));
  EXPECT_THAT(findings.errors, IsEmpty());
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0], HasSubstr("has 49 MiB free, and 50 MiB (5 %"));
  EXPECT_THAT(findings.warnings[0],
              HasSubstr("what the buffer has of it already (900 MiB) is all that takes records, "
                        "then reading stops until there is more"));
  EXPECT_THAT(told(use_of(49, 0, 32, 240)).warnings[0], HasSubstr("little more than its reserve"));
}

TEST(CheckDisk, WithoutAFreeByteNoBufferCanBeMade) {
  for (const unsigned percent : {0u, 5u}) {
    const Findings findings = told(use_of(0, 0, 32, 240, percent), WhenFull::kBlock, percent);
    ASSERT_EQ(findings.errors.size(), 1u);
    EXPECT_THAT(findings.errors[0], HasSubstr("has not a byte free: no buffer can be made"));
    EXPECT_THAT(findings.warnings, IsEmpty());
  }
}

// The agent starts on it, and delivers and acknowledges what it holds.
TEST(CheckDisk, WithoutAFreeByteABufferThatIsThereGoesOn) {
  for (const unsigned percent : {0u, 5u}) {
    const Findings findings = told(use_of(0, 30, 32, 240, percent), WhenFull::kBlock, percent);
    EXPECT_THAT(findings.errors, IsEmpty());
    EXPECT_EQ(findings.warnings.size(), 1u);
  }
}

}  // namespace
}  // namespace edgehose
