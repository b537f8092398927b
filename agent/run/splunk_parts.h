// Sinks of `type = "splunk"`, for the registry: how one is put together, and what its fields cannot
// see of a config.
//
// Threading: registry.h.
#pragma once

#include <vector>

#include "agent/run/registry.h"

namespace edgehose {

struct SplunkConfig;  // sinks/splunk/splunk_config.h

Result<SinkParts> make_splunk_sink(const Component& component, const SinkContext& context);

std::vector<Complaint> examine_splunk_sink(const SplunkConfig& config, const AgentConfig& agent);

}  // namespace edgehose
