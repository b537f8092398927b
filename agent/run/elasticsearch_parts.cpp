#include "agent/run/elasticsearch_parts.h"

#include <unistd.h>

#include <array>
#include <random>

#include "agent/run/examine.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/elasticsearch/elasticsearch_sink.h"
#include "sinks/events/endpoints.h"

namespace edgehose {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// What a document has beside its record, of which the names of the agent, the host and the file
// are most.
constexpr double kBesideMessage = 300;

}  // namespace

Result<SinkParts> make_elasticsearch_sink(const Component& component, const SinkContext& context) {
  const ElasticsearchConfig& config = component.as<ElasticsearchConfig>();
  SinkParts parts;
  parts.config = config.common;
  parts.estimate = {0, 1.1, kBesideMessage, false};
  parts.networked = true;
  parts.recognises = config.ids ? Recognises::kRecords : Recognises::kNothing;
  std::vector<std::string> warnings;  // told with the config
  EH_ASSIGN(auto sink, ElasticsearchSink::create(
                           config, {context.agent_id, context.labels, host_name()}, warnings));
  EH_ASSIGN(const EventsAuth auth, with_region(config.auth, config.endpoints.front()));
  parts.bodies = [writer = sink->writer(),
                  limit = kLongestBodyFactor * config.common.batch.max_size](Store& store) {
    return event_bodies(store, writer, limit);
  };
  parts.transport = [config, auth, budget = context.budget](const Clock& clock) {
    EventsTransport::Options options = elasticsearch_transport(config, auth);
    options.seed = std::random_device{}();
    if (budget) options.http.budgets.push_back(budget);
    return std::make_unique<EventsTransport>(std::move(options), clock);
  };
  parts.sink = std::move(sink);
  return parts;
}

std::vector<Complaint> examine_elasticsearch_sink(const ElasticsearchConfig& config,
                                                  const AgentConfig& agent) {
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < config.endpoints.size(); ++i)
    if (in_the_clear(config.endpoints[i]))
      complaints.push_back({"endpoints",
                            "is not https: whoever is on the way reads and changes what is sent", i,
                            true});
  // "index: ...", told at the key that says so already.
  const auto told = [&](const std::string& message, bool warning) {
    const std::string key = message.substr(0, message.find(": "));
    complaints.push_back({key, without(key + ": ", message), config::kWholeValue, warning});
  };
  std::vector<std::string> warnings;
  if (config.index.empty() != config.data_stream.empty())
    if (const auto index = index_of(config, agent.labels, warnings); !index)
      told(index.error().message, false);
  for (const std::string& warning : warnings) told(warning, true);
  if (!config.endpoints.empty())
    if (const auto auth = with_region(config.auth, config.endpoints.front()); !auth)
      told(auth.error().message, false);
  tell_unverified(config.http, complaints);
  return complaints;
}

}  // namespace edgehose
