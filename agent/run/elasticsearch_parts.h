// Sinks of `type = "elasticsearch"`, for the registry: how one is put together, and what its fields
// cannot see of a config.
//
// Threading: registry.h.
#pragma once

#include <vector>

#include "agent/run/registry.h"

namespace edgehose {

struct ElasticsearchConfig;  // sinks/elasticsearch/elasticsearch_config.h

Result<SinkParts> make_elasticsearch_sink(const Component& component, const SinkContext& context);

std::vector<Complaint> examine_elasticsearch_sink(const ElasticsearchConfig& config,
                                                  const AgentConfig& agent);

}  // namespace edgehose
