#include "agent/commands/running_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The second place is a guess: what is said of it misleads where the first one is the agent's.
TEST(RunningAgent, TheFirstPlaceThatRefusesIsTold) {
  const std::string first = "/first/" + std::string(200, 'x'), second = "/second" + first;
  const auto agent = find_agent({"/nonexistent/status.sock", first, second}, "/var/lib/edgehose");
  ASSERT_FALSE(agent);
  EXPECT_THAT(agent.error().message, HasSubstr(" /first/"));
  EXPECT_THAT(agent.error().message, Not(HasSubstr("/second")));
}

TEST(RunningAgent, NobodyThereIsNoRefusal) {
  const auto agent = find_agent({"/nonexistent/status.sock", "/nonexistent/other"}, "");
  ASSERT_FALSE(agent);
  EXPECT_EQ(agent.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace edgehose
