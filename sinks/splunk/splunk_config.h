// Options of `type = "splunk"` sinks: an HTTP Event Collector.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/http/http_config.h"
#include "sinks/splunk/hec_events.h"

namespace edgehose {

struct SplunkConfig {
  SinkConfig common = request_sink(1ull << 20);
  std::vector<std::string> endpoints;
  SecretRef token;
  bool ack = false;
  Duration ack_timeout = std::chrono::minutes(5);
  Duration ack_interval = std::chrono::seconds(10);
  EventFormat format = EventFormat::kLines;
  std::string host;
  std::string source;
  std::string sourcetype;
  std::string index;
  std::map<std::string, std::string> fields;
  std::string time_field;
  bool gzip = true;
  HttpConfig http;
};

config::Fields<SplunkConfig> splunk_fields();

// What events say of themselves. `machine`: its name. kInvalid, the message begins with the key:
// "index: ...".
Result<EventTexts> event_texts(const SplunkConfig& config,
                               const std::map<std::string, std::string>& labels,
                               const std::string& machine);

}  // namespace edgehose
