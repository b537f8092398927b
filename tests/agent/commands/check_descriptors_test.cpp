#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/commands/check_report.h"
#include "agent/sources/file_config.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a unit with this line is told of so many sources of the most files.
Findings told(const std::string& line, std::size_t sources, bool runs_it = true) {
  FileSourceConfig source;
  source.max_open_files = 4096;
  Config config;
  for (std::size_t i = 0; i < sources; ++i) config.sources.push_back({"s", "file", {}, source});
  Findings findings;
  check_descriptors(config, ServiceUnit{true, "[Service]\n" + line + "\n", "", runs_it}, findings);
  return findings;
}

// What it says is what helps.
TEST(CheckDescriptors, TheAdviceIsEnough) {
  const std::vector<std::string> warnings = told("User=edgehose", 5).warnings;
  ASSERT_EQ(warnings.size(), 1u);
  const std::string_view advice = "LimitNOFILE=";
  const std::size_t at = warnings[0].find(advice);
  ASSERT_NE(at, std::string::npos) << warnings[0];
  const std::string number = std::to_string(std::stoull(warnings[0].substr(at + advice.size())));
  EXPECT_THAT(warnings[0], HasSubstr("raise the limit to " + number + ", the soft one too"));
  EXPECT_THAT(warnings[0], HasSubstr("drop-in many-files.conf with LimitNOFILE=" + number));
  EXPECT_THAT(told("LimitNOFILE=" + number, 5).warnings, IsEmpty());
  EXPECT_EQ(told("LimitNOFILE=1024:" + number, 5).warnings.size(), 1u)
      << "the agent raises its soft limit no further than 16,384";
  EXPECT_THAT(told("LimitNOFILE=1024:16384", 3).warnings, IsEmpty());
}

TEST(CheckDescriptors, WhatDoesNotFitIsAnErrorWhereTheUnitRunsIt) {
  EXPECT_EQ(told("LimitNOFILE=20", 1).errors.size(), 1u);
  EXPECT_THAT(told("LimitNOFILE=20", 1, false).errors, IsEmpty());
  EXPECT_EQ(told("LimitNOFILE=20", 1, false).warnings.size(), 1u);
}

}  // namespace
}  // namespace edgehose
