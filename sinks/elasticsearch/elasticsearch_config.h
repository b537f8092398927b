// Options of `type = "elasticsearch"` sinks: Elasticsearch, OpenSearch, and AWS's services of it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/fields_fwd.h"
#include "sinks/aws/credentials_config.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/elasticsearch/documents.h"
#include "sinks/elasticsearch/index_name.h"
#include "sinks/events/events_auth.h"
#include "sinks/http/http_config.h"

namespace edgehose {

// A blocked index holds its batches back aside: others go on beside so many of them.
inline SinkConfig search_sink() {
  SinkConfig sink = request_sink(5ull << 20);
  sink.unacknowledged = 8;
  return sink;
}

struct ElasticsearchConfig {
  SinkConfig common = search_sink();
  std::vector<std::string> endpoints;
  std::string index;  // one of the two
  std::string data_stream;
  IndexRotation rotation = IndexRotation::kNone;
  EventsAuth auth;
  aws::CredentialsConfig credentials;
  std::string pipeline;
  std::string routing;
  bool require_data_stream = false;
  bool ids = true;
  DocumentFormat format = DocumentFormat::kLines;
  std::map<std::string, std::string> fields;
  std::string time_field;
  bool gzip = true;
  std::optional<Duration> blocked_max_age;
  HttpConfig http;
};

config::Fields<ElasticsearchConfig> elasticsearch_fields();

// Where documents go. kInvalid, the message begins with the key: "index: ...".
Result<IndexName> index_of(const ElasticsearchConfig& config,
                           const std::map<std::string, std::string>& labels,
                           std::vector<std::string>& warnings);

}  // namespace edgehose
