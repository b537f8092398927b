#include "agent/config/agent_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/file.h"
#include "tests/agent/config/temporary.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

class AgentIdTest : public testing::Test {
 protected:
  AgentIdTest() { agent.data_dir = directory.path(); }
  std::string machine(const std::string& id) { return directory.write("machine-id", id); }
  TemporaryDirectory directory;
  AgentConfig agent;
};

TEST_F(AgentIdTest, TheConfiguredOneIsIt) {
  agent.id = "gw-1";
  EXPECT_EQ(*agent_id(agent, true, "/nonexistent"), "gw-1");
}

TEST_F(AgentIdTest, DerivedOnceThenKept) {
  const auto derived = agent_id(agent, true, machine("0123456789abcdef0123456789abcdef\n"));
  // printf 'edgehose agent id' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
  EXPECT_EQ(*derived, "edge-4e1629d54b89c002");
  EXPECT_EQ(*agent_id(agent, true, machine("ffffffffffffffffffffffffffffffff\n")), *derived);
}

TEST_F(AgentIdTest, NotKeptWhereOnlyAsked) {
  const std::string a = *agent_id(agent, false, machine("0123456789abcdef0123456789abcdef\n"));
  EXPECT_NE(*agent_id(agent, false, machine("ffffffffffffffffffffffffffffffff\n")), a);
}

TEST_F(AgentIdTest, NoMachineIdIsAnErrorThatSaysWhatToDo) {
  EXPECT_THAT(agent_id(agent, true, "/nonexistent").error().message, HasSubstr("set agent.id"));
  EXPECT_THAT(agent_id(agent, true, machine("uninitialized\n")).error().message,
              HasSubstr("set agent.id"));
  EXPECT_FALSE(read_file(directory.path() + "/agent-id", 100)) << "nothing was kept";
}

TEST_F(AgentIdTest, ADamagedOneIsNotReplaced) {
  directory.write("agent-id", "a b\n");
  EXPECT_EQ(agent_id(agent, true, machine("0123456789abcdef0123456789abcdef")).error().code,
            ErrorCode::kCorrupt);
}

TEST(AgentId, SafeInKeys) {
  for (const char* good : {"gw-0042", "a.b_c", "0"}) EXPECT_EQ(wrong_agent_id(good), "") << good;
  for (const char* bad : {"", "a/b", "..", ".a", "a b", "\xC3\xA4"})
    EXPECT_NE(wrong_agent_id(bad), "") << bad;
  EXPECT_EQ(wrong_agent_id(std::string(128, 'a')), "");
  EXPECT_NE(wrong_agent_id(std::string(129, 'a')), "");
}

}  // namespace
}  // namespace edgehose
