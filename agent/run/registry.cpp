#include "agent/run/registry.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/config/field.h"
#include "agent/run/elasticsearch_parts.h"
#include "agent/run/examine.h"
#include "agent/run/overwriting_sinks.h"
#include "agent/run/splunk_parts.h"
#include "agent/sources/glob.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/directory_sink.h"
#include "sinks/directory/file_transport.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/object/age/keys.h"
#include "sinks/object/object_encoder.h"
#include "sinks/object/object_encryption.h"
#include "sinks/object/time_zone.h"
#include "sinks/s3/region.h"
#include "sinks/s3/s3_config.h"
#include "sinks/s3/s3_sink.h"
#include "sinks/s3/s3_transport.h"
#include "sinks/splunk/splunk_config.h"
#include "sinks/upload_budget.h"

namespace edgehose {
namespace {

// Of ndjson a line has time, names, path and offset besides its message, whose quotes and
// backslashes take two bytes; compressed, most of that repeats. gzip makes more of the same bytes
// than zstd does.
SizeEstimate estimate_of(const ObjectConfig& objects) {
  if (objects.passes_through()) return {};
  const bool lines = objects.format == ObjectRendering::Format::kLines;
  if (objects.compression == Compression::kNone)
    return lines ? SizeEstimate{0, 1, 0, true} : SizeEstimate{0, 1.1, 200, false};
  return lines ? SizeEstimate{1.25, 0, 0, false} : SizeEstimate{1.5, 0, 8, false};
}

Result<SinkParts> make_directory_sink(const Component& component, const SinkContext& context) {
  const DirectoryConfig& config = component.as<DirectoryConfig>();
  SinkParts parts;
  parts.config = config.common;
  parts.estimate = estimate_of(config.object);
  parts.transport = [](const Clock&, std::uint64_t) { return std::make_unique<FileTransport>(); };
  std::vector<std::string> warnings;  // told with the config
  EH_ASSIGN(std::unique_ptr<DirectorySink> sink,
            DirectorySink::create(config, {context.agent_id, context.labels, context.timezone},
                                  warnings));
  parts.own_files = sink->own_files();
  parts.sink = std::move(sink);
  return parts;
}

Result<SinkParts> make_s3_sink(const Component& component, const SinkContext& context) {
  S3Config config = component.as<S3Config>();
  config.bucket = with_region(config.bucket, config.credentials.profile, aws::Environment{});
  SinkParts parts;
  parts.config = config.common;
  parts.estimate = estimate_of(config.object);
  parts.networked = true;
  std::vector<std::string> warnings;  // told with the config
  EH_ASSIGN(parts.sink,
            S3Sink::create(config, {context.agent_id, context.labels, context.timezone}, warnings));
  parts.transport = [config, budget = context.budget](const Clock& clock, std::uint64_t seed) {
    S3Transport::Options options{config, seed};
    if (budget) options.http.budgets.push_back(budget);
    return std::make_unique<S3Transport>(std::move(options), clock);
  };
  return parts;
}

std::vector<Complaint> examine_file_source(const FileSourceConfig& config, const AgentConfig&) {
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < config.paths.size(); ++i)
    if (const auto glob = Glob::parse(config.paths[i]); !glob)
      complaints.push_back({"paths", glob.error().message, i});
  for (std::size_t i = 0; i < config.exclude.size(); ++i)
    if (const Status good = check_exclusion(config.exclude[i]); !good)
      complaints.push_back({"exclude", good.error().message, i});
  return complaints;
}

// What is wrong with the objects' options. `compile` makes names of them, and of nothing else.
template <class Compile>
std::vector<Complaint> examine_objects(const ObjectConfig& objects, const AgentConfig& agent,
                                       Compile compile) {
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < objects.age_recipients.size(); ++i)
    if (const auto recipient = AgeRecipient::parse(objects.age_recipients[i]); !recipient)
      complaints.push_back({"encrypt.age", without("age ", recipient.error().message), i});
  ObjectRendering rendering;
  rendering.age_recipients = objects.age_recipients;
  if (const Status good = check_rendering(rendering); complaints.empty() && !good)
    complaints.push_back({"encrypt.age", good.error().message});
  // What is left is the prefix's: the rest has its own rules.
  ObjectConfig plain;
  plain.prefix = objects.prefix;
  const std::string zone = TimeZone::load(agent.timezone) ? agent.timezone : "UTC";
  std::vector<std::string> warnings;
  const auto made = compile(
      plain, ObjectContext{agent.id.empty() ? "agent" : agent.id, agent.labels, zone}, warnings);
  if (!made) complaints.push_back({"prefix", without("prefix: ", made.error().message)});
  for (const std::string& warning : warnings)
    complaints.push_back({"prefix", without("prefix: ", warning), config::kWholeValue, true});
  return complaints;
}

std::vector<Complaint> examine_directory_sink(const DirectoryConfig& config,
                                              const AgentConfig& agent) {
  const auto compile = [&](const ObjectConfig& objects, const ObjectContext& context,
                           std::vector<std::string>& warnings) {
    return DirectorySink::create({config.common, config.path, objects}, context, warnings);
  };
  return examine_objects(config.object, agent, compile);
}

// What is wrong with where a bucket is, told at the key that the message begins with.
std::vector<Complaint> examine_bucket(const S3Config& config) {
  if (config.bucket.name.empty()) return {};  // told already
  const auto endpoint = S3Endpoint::resolve(
      with_region(config.bucket, config.credentials.profile, aws::Environment{}));
  if (!endpoint) {
    const std::string& message = endpoint.error().message;
    const std::string key = message.substr(0, message.find(": "));
    return {{key, without(key + ": ", message)}};
  }
  const bool customer = config.upload.encryption.kind == S3Encryption::Kind::kCustomer;
  if (customer && !endpoint->uses_tls())
    return {{"server_side_encryption", "S3 takes a customer's key over https only"}};
  if (endpoint->uses_tls() || endpoint->host().starts_with("127.") ||
      endpoint->host().starts_with("localhost"))
    return {};
  return {{"endpoint", "is not https: whoever is on the way reads and changes what is sent",
           config::kWholeValue, true}};
}

// What is wrong with the keys of the S3 Encryption Client that can be read here, and whether an
// object's metadata have room for what they make.
std::vector<Complaint> examine_s3ec(const S3Config& config) {
  if (!config.object.s3ec.set()) return {};
  if (const auto wrong = wrong_s3ec_key(config.object.s3ec))
    return {{"encrypt.s3ec." + wrong->key, wrong->message}};
  const auto drawn = config.object.rendering("agent").and_then(&ObjectEncryption::draw);
  if (!drawn) return {};
  const std::size_t own = metadata_bytes(drawn->metadata());
  if (own + metadata_bytes(config.upload.metadata) <= kMaxMetadataBytes) return {};
  return {
      {"metadata", fmt::format("has more than the {} bytes that are left of S3's 2 KiB: \"s3ec\" "
                               "with this key takes the others",
                               kMaxMetadataBytes - std::min(own, kMaxMetadataBytes))}};
}

std::vector<Complaint> examine_s3_sink(const S3Config& config, const AgentConfig& agent) {
  const auto compile = [](const ObjectConfig& objects, const ObjectContext& context,
                          std::vector<std::string>& warnings) {
    return ObjectNames::compile(objects, context, ObjectRendering{}, warnings);
  };
  std::vector<Complaint> complaints = examine_objects(config.object, agent, compile);
  for (auto& more : {examine_bucket(config), examine_s3ec(config)})
    complaints.insert(complaints.end(), more.begin(), more.end());
  tell_unverified(config.http, complaints);
  return complaints;
}

struct SinkType {
  std::string name;
  Result<SinkParts> (*make)(const Component&, const SinkContext&);
};
const SinkType kSinkTypes[] = {
    {"directory", make_directory_sink},
    {"s3", make_s3_sink},
    {"elasticsearch", make_elasticsearch_sink},
    {"splunk", make_splunk_sink},
};

}  // namespace

ConfigSchema make_schema() {
  ConfigSchema schema;
  schema.source("file", "Tails files through rotation, truncation and restarts.",
                file_source_fields(), examine_file_source);
  schema.sink("directory", "Writes objects into a directory: a disk, a stick, a network mount.",
              directory_fields(), examine_directory_sink);
  schema.sink("s3", "Uploads objects to a bucket: Amazon S3, or what speaks its protocol.",
              s3_fields(), examine_s3_sink);
  schema.sink("elasticsearch",
              "Creates documents in Elasticsearch, OpenSearch and AWS's services of it.",
              elasticsearch_fields(), examine_elasticsearch_sink);
  schema.sink("splunk", "Sends events to Splunk, by its HTTP Event Collector.", splunk_fields(),
              examine_splunk_sink);
  schema.whole(overwriting_sinks);
  return schema;
}

SinkContext sink_context(const AgentConfig& agent, const std::string& agent_id) {
  SinkContext context{agent_id, agent.labels, agent.timezone, agent.metered};
  if (agent.max_upload_rate)
    context.budget = std::make_shared<UploadBudget>(*agent.max_upload_rate);
  return context;
}

Result<SinkParts> make_sink(const Component& component, const SinkContext& context) {
  for (const SinkType& type : kSinkTypes) {
    if (type.name != component.type) continue;
    auto parts = type.make(component, context);
    if (parts) {
      std::optional<Duration>& age = parts->config.batch.max_age;
      if (context.metered && !age) age = BatchConfig::kMeteredAge;
      return parts;
    }
    return tl::unexpected<Error>(std::move(parts).error().with_context(
        component.origin.text() + ": sinks." + component.name));
  }
  EH_CHECK(!"a sink type of the schema has no maker");
}

std::vector<std::string> own_files(const AgentConfig& agent, const std::vector<SinkParts>& sinks) {
  std::vector<std::string> globs{quote_glob(agent.data_dir) + "/**"};
  for (const SinkParts& sink : sinks)
    globs.insert(globs.end(), sink.own_files.begin(), sink.own_files.end());
  return globs;
}

std::vector<std::string> sink_inputs(const Component& sink) {
  if (sink.type == "s3") return sink.as<S3Config>().common.inputs;
  if (sink.type == "elasticsearch") return sink.as<ElasticsearchConfig>().common.inputs;
  if (sink.type == "splunk") return sink.as<SplunkConfig>().common.inputs;
  return sink.as<DirectoryConfig>().common.inputs;
}

// A file's: its directory and itself. A request's: its connection, and at times the one that is
// tried beside it over the other IP version, and a resolver's.
std::uint64_t sink_descriptors(const Component& sink) {
  const auto networked = [](const SinkConfig& common) { return 12 + 3 * common.concurrency; };
  if (sink.type == "s3") return networked(sink.as<S3Config>().common);
  const auto to_each = [&](const auto& config) {  // kept alive, one to each
    return networked(config.common) + config.endpoints.size();
  };
  if (sink.type == "elasticsearch") return to_each(sink.as<ElasticsearchConfig>());
  if (sink.type == "splunk") return to_each(sink.as<SplunkConfig>());
  return 6 + 2 * std::uint64_t{sink.as<DirectoryConfig>().common.concurrency};
}

Result<std::vector<std::unique_ptr<Source>>> make_sources(const std::vector<Component>& components,
                                                          Store& store, const Clock& clock,
                                                          FileEnvironment files) {
  std::vector<FileSourceConfig> configs;
  for (const Component& component : components) {
    EH_CHECK(component.type == "file");
    configs.push_back(component.as<FileSourceConfig>());
  }
  return make_file_sources(std::move(configs), store, clock, std::move(files));
}

ChangeContext change_context(const Config& config, bool running) {
  const auto has = [](const std::vector<Component>& components) {
    return [&components](std::string_view name) {
      return std::ranges::any_of(components, [&](const Component& c) { return c.name == name; });
    };
  };
  ChangeContext context{running, has(config.sinks), has(config.sources), nullptr};
  context.takes = [&config, has_source = context.has_source](std::string_view sink,
                                                             std::string_view source) {
    return has_source(source) && std::ranges::any_of(config.sinks, [&](const Component& c) {
             return c.name == sink && takes(sink_inputs(c), source);
           });
  };
  // A rotated file lies beside what the globs name: what is anywhere below their base counts.
  std::vector<std::string> bases;
  for (const Component& source : config.sources)
    for (const std::string& path : source.as<FileSourceConfig>().paths)
      if (const auto glob = Glob::parse(path)) bases.push_back(glob->base());
  context.reaches = [bases = std::move(bases)](std::string_view path) {
    return std::ranges::any_of(bases, [&](const std::string& base) {
      return base == "/" || (path.starts_with(base) && path.substr(base.size()).starts_with("/"));
    });
  };
  return context;
}

}  // namespace edgehose
