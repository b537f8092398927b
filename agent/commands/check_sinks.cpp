#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/base/file.h"
#include "agent/commands/check_report.h"
#include "agent/run/registry.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/directory_tree.h"
#include "sinks/object/age/keys.h"

namespace edgehose {
namespace {

// Many records later, so that the key looks as it will.
constexpr std::uint64_t kSampleRecords = 4711;

void check_directory(const DirectoryConfig& sink, Findings& findings) {
  const auto error = [&](std::string message) {
    findings.errors.push_back(fmt::format("sink {}: {}", sink.common.name, message));
  };
  struct stat info {};
  if (::stat(sink.path.c_str(), &info) != 0) {
    // The sink makes it itself where its parent is there and no medium belongs there.
    const std::string parent = parent_directory(sink.path);
    const bool makes_it = errno == ENOENT && !is_below_mount_points(sink.path) && ::access(parent.c_str(), W_OK | X_OK) == 0;
    if (!makes_it) error(fmt::format("{} is not there: mount it, or make it with: install -d -o edgehose {}", sink.path, sink.path));
  } else if (!S_ISDIR(info.st_mode)) {
    error(fmt::format("{} is not a directory", sink.path));
  } else if (::access(sink.path.c_str(), W_OK | X_OK) != 0) {
    error(fmt::format("{} cannot be written: grant it with: setfacl -m u:edgehose:rwx {}", sink.path, sink.path));
  }
  for (const std::string& recipient : sink.age_recipients) {
    const auto parsed = AgeRecipient::parse(recipient);
    if (!parsed) error(parsed.error().message);
  }
}

BatchOutline sample_batch(const SinkConfig& sink, const Config& config, const Clock& clock) {
  BatchOutline batch;
  if (!sink.inputs.empty())
    batch.source = sink.inputs[0];
  else if (!config.sources.empty())
    batch.source = config.sources[0].name;
  batch.first = Sequence(1);
  batch.last = Sequence(kSampleRecords);
  batch.first_time = clock.wall();
  return batch;
}

}  // namespace

std::vector<SinkCheck> check_sinks(const Config& config, const std::string& agent_id, const Clock& clock,
                                   Findings& findings) {
  std::vector<SinkCheck> checks;
  for (const Component& component : config.sinks) {
    SinkCheck& check = checks.emplace_back(SinkCheck{component.name, component.type, ""});
    const std::size_t errors = findings.errors.size();
    if (component.type == "directory") {
      const auto& directory = component.as<DirectoryConfig>();
      check_directory(directory, findings);
      check.destination = directory.path + "/";
    }
    std::vector<std::string> warnings;
    const auto parts =
        make_sink(component, {agent_id, config.agent.labels, config.agent.timezone}, warnings);
    for (const std::string& warning : warnings)
      findings.warnings.push_back(fmt::format("sink {}: {}", component.name, warning));
    if (parts)
      check.destination += parts->sink->key(sample_batch(parts->config, config, clock));
    else if (findings.errors.size() == errors)  // what is told already need not be told twice
      findings.errors.push_back(parts.error().message);
  }
  return checks;
}

}  // namespace edgehose
