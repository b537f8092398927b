// What would become of bulk requests: each host, who serves there, credentials, tried before the
// first batch depends on them. A bulk request without a body is sent, which is refused by whoever
// would take one: nothing is created. Whether documents may be created only the first one shows.
//
// Threading: one thread; blocks for `limit` at most.
#pragma once

#include <vector>

#include "agent/base/clock.h"
#include "sinks/delivery/trial.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/http/http_client.h"

namespace edgehose {

struct SearchProbeOptions {
  ElasticsearchConfig config;
  HttpClientOptions http{};
  aws::Environment environment{};
  Duration limit = std::chrono::seconds(15);  // of all of it
};

// In the order in which it was tried.
std::vector<Trial> try_search(SearchProbeOptions options, Clock& clock);

}  // namespace edgehose
