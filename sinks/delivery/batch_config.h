// Options that every sink shares: what it takes, when a batch is ripe, how it backs off.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/types.h"
#include "agent/config/fields_fwd.h"

namespace edgehose {

struct BatchConfig {
  std::uint64_t max_size = 8ull << 20;  // bytes as the destination counts them
  std::optional<Duration> max_age;      // unset: the default of the sink's type
  bool raw = false;  // the destination counts uncompressed bytes, and is asked for what is new
  static constexpr Duration kDefaultAge = std::chrono::minutes(5);
  static constexpr Duration kRawAge = std::chrono::seconds(5);
  static constexpr Duration kMeteredAge = std::chrono::minutes(5);  // where bytes are paid for

  Duration age() const { return max_age.value_or(raw ? kRawAge : kDefaultAge); }
  std::string_view size_key() const { return raw ? "batch.max_raw_size" : "batch.max_size"; }
};

struct RetryConfig {
  Duration initial = std::chrono::seconds(1);  // back-off with full jitter doubles from here
  Duration max = std::chrono::minutes(5);      // to here, and stays: nothing is given up
};

enum class DeliverFrom { kOldest, kNow };

// Whether a sink with these `inputs` takes the records of `source`: none means every one.
inline bool takes(const std::vector<std::string>& inputs, std::string_view source) {
  return inputs.empty() || std::ranges::find(inputs, source) != inputs.end();
}

struct SinkConfig {
  std::string name;                 // the table's: [sinks.NAME]
  std::vector<std::string> inputs;  // sources; empty: every one
  DeliverFrom start_at =
      DeliverFrom::kOldest;  // a new sink starts at the oldest record held, or now
  BatchConfig batch;
  RetryConfig retry;
  unsigned concurrency = 2;  // requests in flight
  // Batches of one source that may wait for their acknowledgement, or alone, beside those that are
  // in flight: where a destination is slow to say what became of one, others are sent meanwhile.
  unsigned unacknowledged = 0;
};

// What a sink's config begins with whose server takes records by request (Elasticsearch, Splunk)
// and limits their uncompressed bytes:  SinkConfig common = request_sink(5ull << 20);
inline SinkConfig request_sink(std::uint64_t max_raw_size) {
  SinkConfig config;
  config.batch.max_size = max_raw_size;
  config.batch.raw = true;
  return config;
}

// What every sink includes, one of them.
config::Fields<SinkConfig> sink_fields();          // of objects: batch.max_size
config::Fields<SinkConfig> request_sink_fields();  // of requests: batch.max_raw_size

}  // namespace edgehose
