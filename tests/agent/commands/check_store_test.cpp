#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/commands/check_report.h"
#include "agent/commands/service_user.h"

namespace edgehose {
namespace {

// How many errors a user without rights is told of this data_dir.
int errors_of(const std::string& data_dir, const ServiceUnit& unit) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (is_root() && !become(*find_user("nobody"))) ::_exit(100);
    Config config;
    config.agent.data_dir = data_dir;
    const auto clock = make_system_clock();
    Findings findings;
    check_store(config, unit, *clock, findings);
    ::_exit(static_cast<int>(findings.errors.size()));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// As after the README's steps: the unit is installed, and has never been started.
TEST(CheckStore, WhatTheUnitMakesNeedNotBeThere) {
  if (is_root() && !find_user("nobody")) GTEST_SKIP() << "root may make everything";
  const ServiceUnit unit{true, "[Service]\nStateDirectory=edgehose-test\n", ""};
  EXPECT_EQ(errors_of("/var/lib/edgehose-test", unit), 0);
  EXPECT_EQ(errors_of("/var/lib/edgehose-test/buffer", unit), 0);
  EXPECT_EQ(errors_of("/var/lib/edgehose-other", unit), 1);
  EXPECT_EQ(errors_of("/var/lib/edgehose-test", {}), 1);
}

}  // namespace
}  // namespace edgehose
