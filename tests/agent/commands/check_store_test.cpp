#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/commands/check_report.h"
#include "agent/commands/service_user.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

// What is said of the control socket.
std::vector<std::string> of_the_socket(const AgentConfig& agent, const ServiceUnit& unit = {}) {
  Config config;
  config.agent = agent;
  const auto clock = make_system_clock();
  Findings findings;
  check_store(config, unit, *clock, findings);
  std::erase_if(findings.warnings, [](const std::string& warning) {
    return warning.find("control socket") == std::string::npos;
  });
  return findings.warnings;
}

TEST(CheckStore, AControlSocketThatCannotBeMadeIsAWarning) {
  AgentConfig agent;
  agent.data_dir = "/tmp";
  agent.status_socket = "/nonexistent/status.sock";
  const auto missing = of_the_socket(agent);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_THAT(missing[0], HasSubstr("/nonexistent is not there: nobody can ask"));
  agent.status_socket = "/tmp/" + std::string(120, 'x');
  ASSERT_EQ(of_the_socket(agent).size(), 1u);
  EXPECT_THAT(of_the_socket(agent)[0], HasSubstr("its path is longer than 107 bytes"));
  agent.status_socket = "/proc/status.sock";
  ASSERT_EQ(of_the_socket(agent).size(), 1u);
  EXPECT_THAT(of_the_socket(agent)[0], HasSubstr("/proc is made up by the kernel"));
  agent.status_socket = "/tmp/status.sock";
  EXPECT_THAT(of_the_socket(agent), IsEmpty());
}

TEST(CheckStore, ANamesakeOfTheControlSocketIsAWarning) {
  std::string there = testing::TempDir() + "check_store.XXXXXX";
  ASSERT_NE(::mkdtemp(there.data()), nullptr);
  AgentConfig agent;
  agent.data_dir = there;  // where it lies makes no difference
  agent.status_socket = there + "/status.sock";
  EXPECT_THAT(of_the_socket(agent), IsEmpty());
  std::ofstream(agent.status_socket) << "precious";
  ASSERT_EQ(of_the_socket(agent).size(), 1u);
  EXPECT_THAT(of_the_socket(agent)[0], HasSubstr("what lies there is not a socket: move it away"));
  std::filesystem::remove(agent.status_socket);
  std::filesystem::create_symlink("/dev/null", agent.status_socket);
  EXPECT_EQ(of_the_socket(agent).size(), 1u);
  std::filesystem::remove_all(there);
}

TEST(CheckStore, ASocketWhereTheUnitMakesItsDirectoryIsFine) {
  const ServiceUnit unit{true, "[Service]\nRuntimeDirectory=edgehose-test\n", ""};
  AgentConfig agent;
  agent.data_dir = "/tmp";
  agent.status_socket = "/run/edgehose-test/status.sock";
  EXPECT_THAT(of_the_socket(agent, unit), IsEmpty());
  EXPECT_EQ(of_the_socket(agent).size(), 1u);
  // Else it would lie below data_dir, whose name is too long for one.
  agent.status_socket.clear();
  agent.data_dir = "/tmp/" + std::string(120, 'x');
  const ServiceUnit shipped{true, "[Service]\nRuntimeDirectory=edgehose\n", ""};
  EXPECT_THAT(of_the_socket(agent, shipped), IsEmpty());
}

}  // namespace
}  // namespace edgehose
