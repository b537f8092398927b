// check --connect over directories; over buckets: tests/sinks/s3/s3_probe_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "agent/commands/check_report.h"
#include "sinks/directory/directory_config.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Asked : Findings {
  std::vector<Trial> trials;
};

Asked ask(const std::string& path, bool hopeless = false) {
  DirectoryConfig sink;
  sink.common.name = "archive";
  sink.path = path;
  Config config;
  config.sinks = {{"archive", "directory", {}, sink}};
  SinkCheck check{"archive", "directory", path, "key"};
  check.hopeless = hopeless;
  ManualClock clock;
  Asked asked;
  asked.trials = check_connections(config, {check}, "logship", clock, asked).at(0).trials;
  return asked;
}

TEST(CheckConnections, ADirectoryIsWrittenToAndNothingStays) {
  std::string path = testing::TempDir() + "connections.XXXXXX";
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  const Asked asked = ask(path);
  EXPECT_THAT(asked.errors, IsEmpty());
  ASSERT_FALSE(asked.trials.empty());
  EXPECT_THAT(asked.trials[0].what, HasSubstr("a file was written, synced and removed"));
  EXPECT_TRUE(std::filesystem::is_empty(path));
  std::filesystem::remove(path);
}

// As `check` without --connect has it: `run` waits for it.
TEST(CheckConnections, AStickThatIsNotThereIsAWarning) {
  const Asked asked = ask("/media/edgehose-test/logs");
  EXPECT_THAT(asked.errors, IsEmpty());
  ASSERT_EQ(asked.warnings.size(), 1u);
  EXPECT_THAT(asked.warnings[0], HasSubstr("nothing can be tried until it is there"));
}

TEST(CheckConnections, RightsAreGrantedToTheServicesUser) {
  const Asked asked = ask("/sys");  // where root may not either
  ASSERT_EQ(asked.errors.size(), 1u);
  EXPECT_THAT(asked.errors[0], HasSubstr("setfacl -m u:logship:rwx /sys"));
}

TEST(CheckConnections, WhatIsToldAlreadyIsNeitherTriedNorToldTwice) {
  const Asked asked = ask("/sys", true);
  EXPECT_THAT(asked.errors, IsEmpty());
  EXPECT_THAT(asked.warnings, IsEmpty());
  ASSERT_EQ(asked.trials.size(), 1u);
  EXPECT_EQ(asked.trials[0].outcome, Trial::Outcome::kFailed);
}

}  // namespace
}  // namespace edgehose
