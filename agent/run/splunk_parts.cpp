#include "agent/run/splunk_parts.h"

#include "agent/run/event_parts.h"
#include "agent/run/examine.h"
#include "sinks/splunk/splunk_config.h"
#include "sinks/splunk/splunk_sink.h"

namespace edgehose {
namespace {

// What an event has beside its line: its time, the names of host and file, and its fields.
constexpr double kBesideEvent = 250;
// Batches of a source that wait for their acknowledgement, beside those in flight: at 1 MiB each
// that is more than a link of a gateway brings away while an indexer takes its time.
constexpr unsigned kUnacknowledged = 32;

}  // namespace

Result<SinkParts> make_splunk_sink(const Component& component, const SinkContext& context) {
  const SplunkConfig& config = component.as<SplunkConfig>();
  SinkParts parts;
  parts.config = config.common;
  parts.recognises = Recognises::kNothing;
  if (config.ack) parts.config.unacknowledged = kUnacknowledged;
  EH_ASSIGN(auto sink,
            SplunkSink::create(config, {context.agent_id, host_name(), context.labels, {}}));
  const bool raw = config.format == EventFormat::kRaw;
  deliver_events(parts, raw ? 0 : kBesideEvent, sink->writer(), splunk_transport(config),
                 context.budget);
  parts.sink = std::move(sink);
  return parts;
}

std::vector<Complaint> examine_splunk_sink(const SplunkConfig& config, const AgentConfig& agent) {
  std::vector<Complaint> complaints;
  tell_in_the_clear(config.endpoints, complaints);
  if (const auto texts = event_texts(config, agent.labels, ""); !texts)
    tell_at_its_key(texts.error().message, false, complaints);
  tell_unverified(config.http, complaints);
  return complaints;
}

}  // namespace edgehose
