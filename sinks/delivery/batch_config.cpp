#include "sinks/delivery/batch_config.h"

#include <utility>

#include "agent/config/field.h"

namespace edgehose {

using namespace config;
using namespace std::chrono_literals;

namespace {

auto age_field(std::string unset) {
  return field<&BatchConfig::max_age>("max_age",
                                      "A batch goes when its oldest record has waited this long.")
      .range(1s, 24h)
      .unset_means(unset)
      .example('"' + unset + '"');
}

Fields<BatchConfig> batch_fields() {
  return {
      size_field<&BatchConfig::max_size>("max_size",
                                         "A batch goes when it has this size, as stored at the "
                                         "destination (compressed).")
          .range(4 << 10, 1ull << 30),
      not_here<BatchConfig>("max_raw_size",
                            "is for sinks whose servers limit uncompressed bytes; "
                            "here it is \"max_size\""),
      age_field("5m"),
  };
}

Fields<BatchConfig> raw_batch_fields() {
  return {
      size_field<&BatchConfig::max_size>("max_raw_size",
                                         "A batch goes when it has this size before it is "
                                         "compressed, which is what servers limit.")
          .range(4 << 10, 1ull << 30),
      not_here<BatchConfig>("max_size",
                            "counts compressed bytes, and this server limits "
                            "uncompressed ones: it is \"max_raw_size\" here"),
      age_field("5s"),
  };
}

Fields<RetryConfig> retry_fields() {
  return Fields<RetryConfig>{
      field<&RetryConfig::initial>(
          "initial", "The first pause after a failure; each one doubles, with jitter.")
          .range(100ms, 1h),
      field<&RetryConfig::max>("max", "The longest pause. Nothing is ever given up for time alone.")
          .range(1s, 24h),
  }
      .rule({"max", "initial"}, [](const RetryConfig& retry) {
        return retry.max < retry.initial ? "must not be shorter than \"initial\"" : "";
      });
}

Fields<SinkConfig> fields_with(Fields<BatchConfig> batch) {
  return {
      table_name<&SinkConfig::name>(),
      field<&SinkConfig::inputs>("inputs", "Names of the sources to deliver.")
          .are_sources()
          .are_distinct()
          .unset_means("every source")
          .example(R"(["my-file"])"),
      choice<&SinkConfig::start_at>(
          "start_at", {{"oldest", DeliverFrom::kOldest}, {"now", DeliverFrom::kNow}},
          "Where a new sink starts: at the oldest record in the buffer, or with what comes."),
      table<&SinkConfig::batch>("batch", std::move(batch),
                                "When a batch is ripe: whichever is first."),
      table<&SinkConfig::retry>("retry", retry_fields(), "The pauses after failures."),
      field<&SinkConfig::concurrency>("concurrency", "Requests in flight at once.").range(1, 16),
  };
}

}  // namespace

Fields<SinkConfig> sink_fields() { return fields_with(batch_fields()); }
Fields<SinkConfig> request_sink_fields() { return fields_with(raw_batch_fields()); }

}  // namespace edgehose
