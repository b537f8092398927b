// What would become of events: each host, its health, the token, the channel, acknowledgements,
// tried before the first batch depends on them. A request without events is sent, which is refused
// as such by whoever would take some. Whether an index may be written to only an event shows.
//
// Threading: one thread; blocks for `limit` at most.
#pragma once

#include <vector>

#include "agent/base/clock.h"
#include "sinks/delivery/trial.h"
#include "sinks/http/http_client.h"
#include "sinks/splunk/splunk_config.h"

namespace edgehose {

struct SplunkProbeOptions {
  SplunkConfig config;
  HttpClientOptions http{};
  Duration limit = std::chrono::seconds(15);  // of all of it
};

// In the order in which it was tried.
std::vector<Trial> try_splunk(SplunkProbeOptions options, Clock& clock);

}  // namespace edgehose
