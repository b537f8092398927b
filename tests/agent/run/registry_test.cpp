#include "agent/run/registry.h"

#include <gtest/gtest.h>

#include "sinks/directory/directory_config.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/splunk/splunk_config.h"
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

template <class SomeConfig>
std::vector<std::string> complaints(const std::string& name, const SomeConfig& config,
                                    const AgentConfig& agent) {
  std::vector<std::string> told;
  const ConfigSchema schema = make_schema();
  for (const ComponentType& type : schema.sinks())
    if (type.name == name)
      for (const Complaint& c : type.examine(std::any(config), agent))
        told.push_back((c.warning ? "warning " : "") + c.key + ": " + c.message);
  return told;
}

class ElasticsearchInRegistry : public testing::Test {
 protected:
  ElasticsearchInRegistry() {
    config_.common.name = "search";
    config_.endpoints = {"https://es1:9200"};
    config_.index = "gateway-!{timestamp:yyyy.MM.dd}-!{label:site}";
    agent_.labels = {{"site", "north"}};
  }
  Component component() const { return {"search", "elasticsearch", {}, config_}; }
  ElasticsearchConfig config_;
  AgentConfig agent_;
};

TEST_F(ElasticsearchInRegistry, IsPutTogether) {
  const auto parts = make_sink(component(), sink_context(agent_, "gw"));
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(parts->recognises, Recognises::kRecords);
  EXPECT_TRUE(parts->networked);
  EXPECT_EQ(parts->config.batch.max_size, 5u << 20);
  EXPECT_EQ(parts->config.batch.age(), 5s);
  EXPECT_NE(parts->transport(*make_system_clock()), nullptr);
  EXPECT_GE(sink_descriptors(component()), 12u + 3 * config_.common.concurrency);
  agent_.metered = true;
  EXPECT_EQ(make_sink(component(), sink_context(agent_, "gw"))->config.batch.age(), 5min);
}

TEST_F(ElasticsearchInRegistry, WithoutIdsNothingIsRecognised) {
  config_.ids = false;
  const auto parts = make_sink(component(), sink_context(agent_, "gw"));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->recognises, Recognises::kNothing);
}

TEST_F(ElasticsearchInRegistry, IsExamined) {
  EXPECT_EQ(complaints("elasticsearch", config_, agent_), std::vector<std::string>{});
  config_.endpoints.push_back("http://es2:9200");
  config_.index = "Gateway-!{timestamp:YYYY}";
  config_.http.tls.verify = false;
  const auto told = complaints("elasticsearch", config_, agent_);
  ASSERT_EQ(told.size(), 4u) << testing::PrintToString(told);
  EXPECT_TRUE(told[0].starts_with("warning endpoints: is not https")) << told[0];
  EXPECT_TRUE(told[1].starts_with("index: must be in lower case")) << told[1];
  EXPECT_TRUE(told[2].starts_with("warning index: ")) << told[2];
  EXPECT_TRUE(told[3].starts_with("warning tls.verify: ")) << told[3];
}

class SplunkInRegistry : public testing::Test {
 protected:
  SplunkInRegistry() {
    config_.common.name = "soc";
    config_.endpoints = {"https://hec:8088"};
    config_.host = "!{label:site}";
    agent_.labels = {{"site", "north"}};
  }
  Component component() const { return {"soc", "splunk", {}, config_}; }
  SplunkConfig config_;
  AgentConfig agent_;
};

TEST_F(SplunkInRegistry, IsPutTogether) {
  const auto parts = make_sink(component(), sink_context(agent_, "gw"));
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(parts->recognises, Recognises::kNothing);
  EXPECT_TRUE(parts->networked);
  EXPECT_EQ(parts->config.batch.max_size, 1u << 20);
  EXPECT_EQ(parts->config.batch.age(), 5s);
  EXPECT_EQ(parts->config.unacknowledged, 0u);
  EXPECT_NE(parts->transport(*make_system_clock()), nullptr);
  EXPECT_GE(sink_descriptors(component()), 12u + 3 * config_.common.concurrency);
}

TEST_F(SplunkInRegistry, AcknowledgementsDoNotThrottle) {
  config_.ack = true;
  EXPECT_GE(make_sink(component(), sink_context(agent_, "gw"))->config.unacknowledged, 16u);
}

TEST_F(SplunkInRegistry, IsExamined) {
  EXPECT_EQ(complaints("splunk", config_, agent_), std::vector<std::string>{});
  config_.endpoints.push_back("http://hec2:8088");
  config_.index = "!{label:seite}";
  const auto told = complaints("splunk", config_, agent_);
  ASSERT_EQ(told.size(), 2u) << testing::PrintToString(told);
  EXPECT_TRUE(told[0].starts_with("warning endpoints: is not https")) << told[0];
  EXPECT_TRUE(told[1].starts_with("index: !{label:seite}: the agent has no label")) << told[1];
}

}  // namespace
}  // namespace edgehose
