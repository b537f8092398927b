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
  std::uint64_t max_size = 8ull << 20;  // bytes as stored at the destination
  std::optional<Duration> max_age;      // unset: the default of the sink's type, or kDefaultAge
  static constexpr Duration kDefaultAge = std::chrono::minutes(5);
  static constexpr Duration kMeteredAge = std::chrono::minutes(5);  // where bytes are paid for

  Duration age() const { return max_age.value_or(kDefaultAge); }
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
};

config::Fields<BatchConfig> batch_fields();
config::Fields<RetryConfig> retry_fields();
config::Fields<SinkConfig> sink_fields();  // what every sink includes

}  // namespace edgehose
