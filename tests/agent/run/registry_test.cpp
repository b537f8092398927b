#include "agent/run/registry.h"

#include <gtest/gtest.h>

#include "sinks/directory/directory_config.h"
#include "sinks/upload_budget.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;

std::optional<Duration> age_of(const AgentConfig& agent, std::optional<Duration> configured) {
  DirectoryConfig directory;
  directory.common.name = "archive";
  directory.common.batch.max_age = configured;
  directory.path = "/mnt/archive";
  const Component component{"archive", "directory", {}, directory};
  const auto parts = make_sink(component, sink_context(agent, "gw"));
  EXPECT_TRUE(parts) << parts.error().message;
  return parts ? parts->config.batch.max_age : std::nullopt;
}

TEST(Registry, OnAMeteredLinkABatchWaitsFiveMinutesUnlessTheConfigSaysOtherwise) {
  AgentConfig agent;
  EXPECT_EQ(age_of(agent, std::nullopt), std::nullopt);
  agent.metered = true;
  EXPECT_EQ(age_of(agent, std::nullopt), 5min);
  EXPECT_EQ(age_of(agent, 10s), 10s);
}

TEST(Registry, AllSinksShareTheAgentsUploadRate) {
  AgentConfig agent;
  EXPECT_EQ(sink_context(agent, "gw").budget, nullptr);
  agent.max_upload_rate = 1 << 10;
  const auto budget = sink_context(agent, "gw").budget;
  ASSERT_NE(budget, nullptr);
  EXPECT_EQ(budget->take(Instant(Duration(1)), 1 << 20), 16u << 10);
}

}  // namespace
}  // namespace edgehose
