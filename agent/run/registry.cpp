#include "agent/run/registry.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/config/field.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/directory_sink.h"
#include "sinks/directory/file_transport.h"

namespace edgehose {
namespace {

Result<SinkParts> make_directory_sink(const Component& component, const SinkContext& context,
                                      std::vector<std::string>& warnings) {
  const DirectoryConfig& config = component.as<DirectoryConfig>();
  SinkParts parts;
  parts.config = config.common;
  parts.pass_through = config.format == ObjectRendering::Format::kLines &&
                       config.compression == ObjectRendering::Compression::kZstd;
  parts.transport = std::make_unique<FileTransport>();
  EH_ASSIGN(parts.sink,
            DirectorySink::create(config, {context.agent_id, context.labels, context.timezone}, warnings));
  return parts;
}

struct SinkType {
  std::string name;
  Result<SinkParts> (*make)(const Component&, const SinkContext&, std::vector<std::string>&);
};
const SinkType kSinkTypes[] = {
    {"directory", make_directory_sink},
};

}  // namespace

ConfigSchema make_schema() {
  ConfigSchema schema;
  schema.source("file", "Tails files through rotation, truncation and restarts.", file_source_fields());
  schema.sink("directory", "Writes objects into a directory: a disk, a stick, a network mount.",
              directory_fields());
  return schema;
}

Result<SinkParts> make_sink(const Component& component, const SinkContext& context,
                            std::vector<std::string>& warnings) {
  for (const SinkType& type : kSinkTypes) {
    if (type.name != component.type) continue;
    auto parts = type.make(component, context, warnings);
    if (parts) return parts;
    return tl::unexpected<Error>(
        std::move(parts).error().with_context(component.origin.text() + ": sinks." + component.name));
  }
  EH_CHECK(!"a sink type of the schema has no maker");
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

}  // namespace edgehose
