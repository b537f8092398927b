#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/commands/check_report.h"
#include "sinks/directory/directory_config.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What is told of a sink that writes to /tmp, under this unit.
std::vector<std::string> warnings(const ServiceUnit& unit,
                                  std::optional<std::uint64_t> buffer = std::nullopt) {
  DirectoryConfig sink;
  sink.common.name = "archive";
  sink.path = "/tmp";
  Config config;
  config.agent.data_dir = "/var/lib/edgehose";
  config.buffer.max_size = buffer;
  config.sinks = {{"archive", "directory", {}, sink}};
  ManualClock clock;
  Findings findings;
  check_sinks(config, "gw", std::nullopt, unit, clock, findings);
  return findings.warnings;
}

TEST(CheckSinks, WhatTheInstalledUnitForbidsIsTold) {
  const auto told = warnings({true, "[Service]\nReadWritePaths=/srv\n"});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("systemctl edit edgehose: [Service] ReadWritePaths=/tmp"));
  EXPECT_THAT(warnings({true, "[Service]\nReadWritePaths=/srv /tmp\n"}), IsEmpty());
}

TEST(CheckSinks, WithoutAUnitNothingIsSaidOfIt) { EXPECT_THAT(warnings({}), IsEmpty()); }

TEST(CheckSinks, ABatchThatTheBufferCannotHoldIsTold) {
  ASSERT_EQ(warnings({}, 8 << 20).size(), 1u);
  EXPECT_THAT(warnings({}, 8 << 20)[0], HasSubstr("batch.max_size (8 MiB) is not below"));
  EXPECT_THAT(warnings({}, 9 << 20), IsEmpty());
}

}  // namespace
}  // namespace edgehose
