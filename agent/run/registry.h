// Registry: the kinds of sources and sinks that edgehose has. Adding one is a line here (and its
// own folder or file): its type name, its declared fields, and how it is made.
//
// Threading: used while the process is put together, by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/config/agent_config.h"
#include "agent/config/schema.h"
#include "agent/run/change.h"
#include "agent/run/lane_planner.h"
#include "agent/sources/file_source.h"
#include "agent/sources/source.h"
#include "buffer/store.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/delivery/courier.h"
#include "sinks/delivery/transport.h"
#include "sinks/sink.h"

namespace edgehose {

class UploadBudget;  // sinks/upload_budget.h

// What the config of any source or sink may name.
ConfigSchema make_schema();

// What a sink is put together from; the courier, shared by all kinds, is added by agent.cpp.
struct SinkParts {
  SinkConfig config;
  std::shared_ptr<const Sink> sink;
  // `seed`: of what it leaves to chance: pauses, which host is asked, a channel's name.
  std::function<std::unique_ptr<Transport>(const Clock&, std::uint64_t seed)> transport;
  SizeEstimate estimate{};  // of its objects, before the first
  Recognises recognises = Recognises::kKey;
  // What its requests' bodies are made by: objects, or records in the destination's own form.
  std::function<OpenBody(Store&)> bodies = object_bodies;
  bool networked = false;                // what goes over the wire is counted
  std::vector<std::string> own_files{};  // globs of what it writes where a source might read it
};

// What the agent's config says to every sink.
struct SinkContext {
  std::string agent_id;
  std::map<std::string, std::string> labels;
  std::string timezone;
  bool metered = false;
  std::shared_ptr<UploadBudget> budget{};  // of all sinks together; null: no limit
};

SinkContext sink_context(const AgentConfig& agent, const std::string& agent_id);

Result<SinkParts> make_sink(const Component& component, const SinkContext& context);

// Globs of what no source reads: the agent's own data and what its sinks write.
std::vector<std::string> own_files(const AgentConfig& agent, const std::vector<SinkParts>& sinks);

// What the sink takes; none: every source.
std::vector<std::string> sink_inputs(const Component& sink);

// File descriptors that it takes at once, at most.
std::uint64_t sink_descriptors(const Component& sink);

// In the order of the config.
Result<std::vector<std::unique_ptr<Source>>> make_sources(const std::vector<Component>& components,
                                                          Store& store, const Clock& clock,
                                                          FileEnvironment files);

// What the config says to a change by hand (change.h). The config outlives it.
ChangeContext change_context(const Config& config, bool running);

}  // namespace edgehose
