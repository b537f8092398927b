#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/commands/check_report.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = 1 << 20;

Findings told(const DiskUse& use, WhenFull when_full = WhenFull::kBlock, unsigned percent = 5) {
  Config config;
  config.agent.data_dir = "/var/lib/edgehose";
  config.buffer.when_full = when_full;
  config.buffer.free_disk_percent = percent;
  Findings findings;
  tell_disk(config, use, findings);
  return findings;
}

TEST(CheckDisk, WithRoomForTheWorstNothingIsSaid) {
  const Findings findings = told({1000 * kMiB, 290 * kMiB, 0, 32 * kMiB, 240 * kMiB});
  EXPECT_THAT(findings.errors, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty());
}

TEST(CheckDisk, AWorstCaseThatHasNoRoomIsAWarningWithFigures) {
  const DiskUse use{1000 * kMiB, 150 * kMiB, 20 * kMiB, 512 * kMiB, 1400 * kMiB};
  const Findings findings = told(use);
  EXPECT_THAT(findings.errors, IsEmpty()) << "the agent keeps to the floor";
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0], HasSubstr("at worst it takes 1.4 GiB, and its file system has "
                                              "room for 120 MiB of that: 5 % of its 1000 MiB (50 "
                                              "MiB) stay free"));
  EXPECT_THAT(findings.warnings[0],
              HasSubstr("reading stops before the buffer is at its limit of 512 MiB"));
  EXPECT_THAT(told(use, WhenFull::kDropOldest).warnings[0], HasSubstr("records are dropped"));
  EXPECT_THAT(told(use, WhenFull::kBlock, 0).warnings[0], HasSubstr("has room for 170 MiB"));
}

// What the buffer has already is no new demand.
TEST(CheckDisk, WhatTheBufferHasCountsAsRoom) {
  EXPECT_THAT(told({1000 * kMiB, 150 * kMiB, 140 * kMiB, 32 * kMiB, 240 * kMiB}).warnings,
              IsEmpty());
  EXPECT_EQ(told({1000 * kMiB, 150 * kMiB, 139 * kMiB, 32 * kMiB, 240 * kMiB}).warnings.size(), 1u);
}

TEST(CheckDisk, LessFreeThanTheFloorIsAWarning) {
  const Findings findings = told({1000 * kMiB, 49 * kMiB, 900 * kMiB, 32 * kMiB, 240 * kMiB});
  EXPECT_THAT(findings.errors, IsEmpty());
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0], HasSubstr("has 49 MiB free, and 5 % of its 1000 MiB"));
  EXPECT_THAT(findings.warnings[0], HasSubstr("reading stops until there is more"));
}

TEST(CheckDisk, WithoutAFreeByteItIsAnError) {
  for (const unsigned percent : {0u, 5u}) {
    const Findings findings =
        told({1000 * kMiB, 0, 30 * kMiB, 32 * kMiB, 240 * kMiB}, WhenFull::kBlock, percent);
    ASSERT_EQ(findings.errors.size(), 1u);
    EXPECT_THAT(findings.errors[0], HasSubstr("has not a byte free"));
    EXPECT_THAT(findings.warnings, IsEmpty());
  }
}

TEST(CheckDisk, AFileSystemThatDoesNotTellItsSizeIsNotJudged) {
  EXPECT_THAT(told({0, 0, 0, 32 * kMiB, 240 * kMiB}).errors, IsEmpty());
}

}  // namespace
}  // namespace edgehose
