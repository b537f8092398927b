#include "sinks/elasticsearch/elasticsearch_config.h"

#include <algorithm>
#include <iterator>

#include "agent/config/field.h"
#include "sinks/events/endpoints.h"

namespace edgehose {

using namespace config;
using namespace std::chrono_literals;

namespace {

using C = ElasticsearchConfig;

constexpr std::size_t kMostFields = 48;

std::string wrong_fields(const std::map<std::string, std::string>& fields) {
  if (fields.size() > kMostFields) return fmt::format("are more than {}", kMostFields);
  for (const auto& [name, value] : fields) {
    if (const std::string why = not_a_field(name); !why.empty())
      return fmt::format("\"{}\" {}", name, why);
    // In their order what is below a name stands behind it.
    const auto below = fields.lower_bound(name + ".");
    if (below != fields.end() && below->first.starts_with(name + "."))
      return fmt::format("\"{}\" and \"{}\" cannot both be: one is an object", name, below->first);
  }
  return {};
}

Fields<C> place_fields() {
  return Fields<C>{
      field<&C::endpoints>("endpoints", kRequired,
                           "Where the servers are. Each request goes to one of them, rather to one "
                           "that answers.")
          .each(not_an_endpoint)
          .check(wrong_number_of_endpoints)
          .are_distinct()
          .example(R"(["https://es1:9200", "https://es2:9200"])"),
      field<&C::index>("index",
                       "The index. `!{timestamp:yyyy.MM.dd}` is filled from the time at which a "
                       "record was read, in UTC, `!{label:NAME}` from the agent's labels. An alias "
                       "is fine.")
          .example("\"gateway-!{timestamp:yyyy.MM.dd}\"")
          .in_example(),
      field<&C::data_stream>(
          "data_stream",
          "A data stream in place of an index. A rollover between a lost answer and its "
          "repetition makes a duplicate, which is counted.")
          .example("\"logs-edge-default\"")
          .apart(),
      choice<&C::rotation>("index_rotation",
                           {{"none", IndexRotation::kNone},
                            {"hour", IndexRotation::kHour},
                            {"day", IndexRotation::kDay},
                            {"week", IndexRotation::kWeek},
                            {"month", IndexRotation::kMonth}},
                           "What is appended to `index`, as Amazon Data Firehose does: "
                           "`-2026-11-26-13`, `-2026-11-26`, `-2026-w48`, `-2026-11`."),
      table<&C::auth>("auth", events_auth_fields(), "Who this sink is to the servers.")
          .not_empty("names nobody; leave it out where servers ask for nothing")
          .example("{ user = \"writer\", password = { credential = \"es-password\" } }"),
      table<&C::credentials>("credentials", aws::credentials_fields(),
                             "Who signs, with `auth.sigv4`. Without it AWS's chain is followed.")
          .example("{ profile = \"gateway\" }"),
      field<&C::pipeline>("pipeline", "The ingest pipeline that documents pass through.")
          .unset_means("the index's own")
          .example("\"gateway\""),
      field<&C::routing>("routing", "Sends all documents to the shard of this value.")
          .unset_means("by `_id`")
          .example("\"north\""),
      field<&C::require_data_stream>(
          "require_data_stream",
          "Nothing is created unless it is in a data stream: a missing template parks the sink. "
          "Elasticsearch from 8.13 on; OpenSearch does not know it."),
  };
}

Fields<C> document_fields() {
  return Fields<C>{
      field<&C::ids>(
          "ids",
          "Documents are called after their records, so that what is sent twice is kept "
          "once. `false` is for collections that take no ids (OpenSearch Serverless, "
          "time series): then a lost answer, a kill or a restart makes duplicates, which "
          "are counted, and where a pipeline drops documents a refusal may be taken for "
          "another record's."),
      choice<&C::format>("format",
                         {{"lines", DocumentFormat::kLines}, {"json", DocumentFormat::kJson}},
                         "`lines`: a record is the `message` of a document, beside ECS fields. "
                         "`json`: a line that is a JSON object is the document, with the fields "
                         "that it lacks; any other line as with `lines`."),
      field<&C::fields>(
          "fields",
          "Added to every document, `\"a.b\"` as b in a; not to a JSON line that has `a` "
          "itself.")
          .check(wrong_fields)
          .example(R"({ "service.name" = "gateway" })"),
      field<&C::time_field>("time_field",
                            "With `json`: the field that holds a document's time, RFC 3339 or "
                            "seconds, ms, us, ns since 1970. It becomes `@timestamp`, where the "
                            "document has none.")
          .unset_means("when the record was read")
          .example("\"ts\"")
          .apart(),
      choice<&C::gzip>("compression", {{"gzip", true}, {"none", false}},
                       "How requests are compressed. A server that cannot read it is found out."),
      field<&C::blocked_max_age>("blocked_max_age",
                                 "What an index that is blocked has refused for so long goes to "
                                 "the dead letters. Counted for each batch from its first such "
                                 "refusal on, anew after a restart.")
          .range(1min, 365 * 24h)
          .unset_means("never: it waits")
          .example("\"7d\""),
  };
}

void append(Fields<C>& fields, Fields<C> more) {
  std::ranges::move(more.fields, std::back_inserter(fields.fields));
  std::ranges::move(more.rules, std::back_inserter(fields.rules));
}

}  // namespace

Fields<ElasticsearchConfig> elasticsearch_fields() {
  Fields<C> fields{include<&C::common>(request_sink_fields())};
  append(fields, place_fields());
  append(fields, document_fields());
  append(fields, {include<&C::http>(http_fields())});
  return std::move(fields)
      .rule({"index", "data_stream"},
            [](const C& c) {
              if (c.index.empty() != c.data_stream.empty()) return "";
              return c.index.empty() ? "is missing: give it, or \"data_stream\""
                                     : "and \"data_stream\" exclude each other: give one";
            })
      .rule({"index_rotation", "index"},
            [](const C& c) {
              const bool rotates = c.rotation != IndexRotation::kNone;
              if (rotates && c.index.empty()) return "goes with \"index\"";
              return rotates && c.index.find("!{timestamp") != std::string::npos
                         ? "and a time in \"index\" exclude each other: give one"
                         : "";
            })
      .rule({"time_field", "format"}, [](const C& c) {
        return !c.time_field.empty() && c.format != DocumentFormat::kJson
                   ? "goes with format = \"json\""
                   : "";
      });
}

Result<IndexName> index_of(const ElasticsearchConfig& config,
                           const std::map<std::string, std::string>& labels,
                           std::vector<std::string>& warnings) {
  const bool stream = config.index.empty();
  const std::string key = stream ? "data_stream: " : "index: ";
  std::vector<std::string> own;
  auto name =
      IndexName::compile(stream ? config.data_stream : config.index, config.rotation, labels, own);
  for (const std::string& warning : own) warnings.push_back(key + warning);
  if (!name) return fail(name.error().code, "{}{}", key, name.error().message);
  if (stream && !name->fixed())
    return fail(ErrorCode::kInvalid,
                "{}must be the same at all times: a data stream has an index behind it for each "
                "time",
                key);
  return name;
}

}  // namespace edgehose
