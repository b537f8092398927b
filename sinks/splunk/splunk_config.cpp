#include "sinks/splunk/splunk_config.h"

#include <fmt/format.h>

#include <iterator>

#include "agent/config/field.h"
#include "sinks/events/endpoints.h"

namespace edgehose {

using namespace config;
using namespace std::chrono_literals;

namespace {

using C = SplunkConfig;

constexpr std::size_t kMostFields = 48;

std::string not_a_collector(const std::string& url) {
  if (const std::string why = not_an_endpoint(url); !why.empty()) return why;
  return url.find("/services/collector") == std::string::npos
             ? ""
             : "must not hold \"/services/collector\": that follows by itself";
}

std::string wrong_fields(const std::map<std::string, std::string>& fields) {
  if (fields.size() > kMostFields) return fmt::format("are more than {}", kMostFields);
  for (const auto& [name, value] : fields)
    if (const std::string why = not_an_event_field(name); !why.empty())
      return fmt::format("\"{}\" {}", name, why);
  return {};
}

Fields<C> place_fields() {
  return Fields<C>{
      field<&C::endpoints>("endpoints", kRequired,
                           "Where the HTTP Event Collectors are. Each request goes to one of them, "
                           "rather to one that answers.")
          .each(not_a_collector)
          .check(wrong_number_of_endpoints)
          .are_distinct()
          .example(R"(["https://hec.example.com:8088"])"),
      field<&C::token>("token", kRequired, "The collector's token.")
          .example(R"({ credential = "hec-token" })"),
      field<&C::ack>("ack",
                     "Events count as delivered once the indexers say so (indexer "
                     "acknowledgement), which the token has to have enabled."),
      field<&C::ack_timeout>("ack_timeout",
                             "What is not acknowledged for so long is sent again, and counted as "
                             "possible duplicates; twice as long each time, up to an hour.")
          .range(30s, 1h),
      field<&C::ack_interval>(
          "ack_interval", "How often acknowledgements are asked for; sooner at first, from 2 s on.")
          .range(1s, 1min),
  };
}

Fields<C> event_fields() {
  return Fields<C>{
      choice<&C::format>("format",
                         {{"lines", EventFormat::kLines},
                          {"json", EventFormat::kJson},
                          {"raw", EventFormat::kRaw}},
                         "`lines`: a record is an event's text. `json`: a line that is a JSON "
                         "object is the event, any other line as with `lines`. `raw`: lines as "
                         "they are, to the raw endpoint, where the sourcetype breaks them into "
                         "events."),
      field<&C::host>("host",
                      "The events' host. Here and below `!{label:NAME}` is filled from the agent's "
                      "labels, `!{attribute:NAME}` from a record's attributes (not with `raw`), "
                      "`!{field:NAME}` from a line's own JSON (with `json`). An empty one is left "
                      "out.")
          .unset_means("this machine's name")
          .example("\"!{label:site}\""),
      field<&C::source>("source", "The events' source.")
          .unset_means("the file's path (with `raw` the source's name)")
          .example("\"gateway\""),
      field<&C::sourcetype>("sourcetype", "The events' sourcetype.")
          .unset_means("the token's")
          .example("\"syslog\"")
          .in_example(),
      field<&C::index>("index", "The events' index.")
          .unset_means("the token's")
          .example("\"edge\"")
          .in_example(),
      field<&C::fields>("fields", "Indexed fields that every event gets (not with `raw`).")
          .check(wrong_fields)
          .example(R"({ service = "gateway" })"),
      field<&C::time_field>("time_field",
                            "With `json`: the field that holds an event's time, RFC 3339 or "
                            "seconds, ms, us, ns since 1970.")
          .unset_means("when the record was read")
          .example("\"ts\"")
          .apart(),
      choice<&C::gzip>("compression", {{"gzip", true}, {"none", false}},
                       "How requests are compressed. A server that cannot read it is found out."),
  };
}

void append(Fields<C>& fields, Fields<C> more) {
  std::ranges::move(more.fields, std::back_inserter(fields.fields));
  std::ranges::move(more.rules, std::back_inserter(fields.rules));
}

}  // namespace

Fields<SplunkConfig> splunk_fields() {
  Fields<C> fields{include<&C::common>(request_sink_fields())};
  append(fields, place_fields());
  append(fields, event_fields());
  append(fields, {include<&C::http>(http_fields())});
  return std::move(fields)
      .rule({"ack_interval", "ack_timeout"},
            [](const C& c) {
              return c.ack_interval > c.ack_timeout ? "must not be longer than \"ack_timeout\""
                                                    : "";
            })
      .rule({"fields", "format"},
            [](const C& c) {
              return !c.fields.empty() && c.format == EventFormat::kRaw
                         ? "does not go with format = \"raw\", which has no fields"
                         : "";
            })
      .rule({"time_field", "format"}, [](const C& c) {
        return !c.time_field.empty() && c.format != EventFormat::kJson
                   ? "goes with format = \"json\""
                   : "";
      });
}

Result<EventTexts> event_texts(const SplunkConfig& config,
                               const std::map<std::string, std::string>& labels,
                               const std::string& machine) {
  const EventTextScope scope{config.format != EventFormat::kRaw,
                             config.format == EventFormat::kJson};
  const auto compile = [&](std::string_view key, const std::string& text) -> Result<EventText> {
    auto made = EventText::compile(text, labels, scope);
    if (!made) return fail(made.error().code, "{}: {}", key, made.error().message);
    return made;
  };
  EventTexts texts;
  EH_ASSIGN(texts.host, compile("host", config.host.empty() ? machine : config.host));
  EH_ASSIGN(texts.sourcetype, compile("sourcetype", config.sourcetype));
  EH_ASSIGN(texts.index, compile("index", config.index));
  if (config.source.empty()) return texts;
  EH_ASSIGN(texts.source, compile("source", config.source));
  return texts;
}

}  // namespace edgehose
