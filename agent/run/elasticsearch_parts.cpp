#include "agent/run/elasticsearch_parts.h"

#include "agent/run/event_parts.h"
#include "agent/run/examine.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/elasticsearch/elasticsearch_sink.h"

namespace edgehose {
namespace {

// What a document has beside its record, of which the names of the agent, the host and the file
// are most.
constexpr double kBesideMessage = 300;

}  // namespace

Result<SinkParts> make_elasticsearch_sink(const Component& component, const SinkContext& context) {
  const ElasticsearchConfig& config = component.as<ElasticsearchConfig>();
  SinkParts parts;
  parts.config = config.common;
  parts.recognises = config.ids ? Recognises::kRecords : Recognises::kNothing;
  std::vector<std::string> warnings;  // told with the config
  EH_ASSIGN(auto sink, ElasticsearchSink::create(
                           config, {context.agent_id, host_name(), context.labels, {}}, warnings));
  EH_ASSIGN(const EventsAuth auth, with_region(config.auth, config.endpoints.front()));
  deliver_events(parts, kBesideMessage, sink->writer(), elasticsearch_transport(config, auth),
                 context.budget);
  parts.sink = std::move(sink);
  return parts;
}

std::vector<Complaint> examine_elasticsearch_sink(const ElasticsearchConfig& config,
                                                  const AgentConfig& agent) {
  std::vector<Complaint> complaints;
  tell_in_the_clear(config.endpoints, complaints);
  std::vector<std::string> warnings;
  if (config.index.empty() != config.data_stream.empty())
    if (const auto index = index_of(config, agent.labels, warnings); !index)
      tell_at_its_key(index.error().message, false, complaints);
  for (const std::string& warning : warnings) tell_at_its_key(warning, true, complaints);
  if (!config.endpoints.empty())
    if (const auto auth = with_region(config.auth, config.endpoints.front()); !auth)
      tell_at_its_key(auth.error().message, false, complaints);
  tell_unverified(config.http, complaints);
  return complaints;
}

}  // namespace edgehose
