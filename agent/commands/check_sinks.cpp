#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "agent/base/file.h"
#include "agent/base/grant.h"
#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/commands/drop_in.h"
#include "agent/commands/service_user.h"
#include "agent/run/registry.h"
#include "agent/sources/discovery.h"
#include "agent/sources/file_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/directory_sink.h"
#include "sinks/directory/directory_tree.h"
#include "sinks/directory/filesystem_identity.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/s3/s3_config.h"
#include "sinks/splunk/splunk_config.h"

namespace edgehose {
namespace {

// Many records later, so that the key looks as it will.
constexpr std::uint64_t kSampleRecords = 4711;

// What cannot be opened to look has an error of its own.
Status look_for_medium(const std::string& path) {
  const auto directory = open_file(path, O_PATH | O_DIRECTORY);
  return directory ? refuse_unmounted(directory->get(), path) : Status{};
}

// Where something else than at the first delivery is mounted the sink waits for a person. `note`:
// what it remembers.
void check_medium(const DirectoryConfig& sink, const std::string& note, Findings& findings) {
  const std::string expected = DirectorySink::recorded_filesystem(note);
  const auto directory = open_file(sink.path, O_PATH | O_DIRECTORY);
  if (!directory || expected.empty()) return;
  const auto found = filesystem_identity(directory->get());
  if (!found || same_filesystem(expected, *found)) return;
  findings.errors.push_back(fmt::format(
      "sink {0}: {1} is on another file system than before ({2}, it was {3}), and nothing is "
      "written: mount the right one, or accept the new one: edgehose buffer confirm {0} --yes",
      sink.common.name, sink.path, *found, expected));
}

// Whoever clears one of the two out takes the other along.
void tell_beside_buffer(const DirectoryConfig& sink, const std::string& data_dir,
                        Findings& findings) {
  const auto plain = [](const std::string& path) {
    return std::filesystem::path(path + "/").lexically_normal();
  };
  if (plain(sink.path) == plain(data_dir))
    findings.warnings.push_back(
        fmt::format("sink {}: its path is data_dir, so its objects lie among the buffer's own "
                    "files: give it a directory of its own",
                    sink.common.name));
}

void check_directory(const DirectoryConfig& sink, const std::string& note, const std::string& user,
                     Findings& findings) {
  const auto error = [&](std::string message) {
    findings.errors.push_back(fmt::format("sink {}: {}", sink.common.name, message));
  };
  struct stat info {};
  if (::stat(sink.path.c_str(), &info) != 0) {
    // The sink makes it itself where its parent is there and no medium belongs there.
    const std::string parent = parent_directory(sink.path);
    if (errno == EACCES)
      return error(
          fmt::format("{} cannot be reached: open the directories above it with: "
                      "setfacl -m u:{}:x DIRECTORY",
                      sink.path, user));
    if (errno == ENOENT && is_below_mount_points(sink.path))
      return findings.warnings.push_back(fmt::format(
          "sink {}: {} is not there: until its medium is mounted and has that directory, "
          "nothing is written",
          sink.common.name, sink.path));
    const bool makes_it = errno == ENOENT && ::access(parent.c_str(), W_OK | X_OK) == 0;
    if (!makes_it)
      error(fmt::format("{} is not there: mount it, or make it with: install -d -o {} {}",
                        sink.path, user, sink.path));
  } else if (!S_ISDIR(info.st_mode)) {
    error(fmt::format("{} is not a directory", sink.path));
  } else if (const Status mounted = look_for_medium(sink.path); !mounted) {
    findings.warnings.push_back(fmt::format("sink {}: {}; until then nothing is written",
                                            sink.common.name, mounted.error().message));
  } else if (::access(sink.path.c_str(), W_OK | X_OK) == 0) {
    check_medium(sink, note, findings);
  } else if (errno == EROFS) {
    error(fmt::format(
        "{} is on a read-only file system: mount -o remount,rw it, or write elsewhere", sink.path));
  } else {
    error(
        fmt::format("{} cannot be written: {}", sink.path, how_to_grant_writing(sink.path, user)));
  }
}

BatchOutline sample_batch(const SinkConfig& sink, const Config& config,
                          const std::optional<Epoch>& epoch, const Clock& clock) {
  BatchOutline batch;
  if (epoch) batch.epoch = *epoch;
  if (!sink.inputs.empty())
    batch.source = sink.inputs[0];
  else if (!config.sources.empty())
    batch.source = config.sources[0].name;
  batch.first = Sequence(1);
  batch.last = Sequence(kSampleRecords);
  batch.first_time = clock.wall();
  return batch;
}

// What a sink writes where a source reads is left out there, which is hardly what anybody meant.
void tell_read_again(const SinkCheck& sink, const Config& config, Findings& findings) {
  for (const Component& component : config.sources) {
    if (component.type != "file") continue;
    const auto& source = component.as<FileSourceConfig>();
    const auto selection = parse_selection(source.paths, source.exclude);
    if (!selection || excluded(selection->exclude, sink.destination)) continue;
    for (const Glob& glob : selection->paths)
      if (glob.matches(sink.destination)) {
        findings.warnings.push_back(fmt::format(
            "source {}: {} names the objects that sink {} writes: they are not read again; let the "
            "sink write elsewhere, or exclude them",
            source.name, glob.text(), sink.name));
        break;
      }
  }
}

std::string note_of(const StoreCheck& store, const std::string& sink) {
  const auto note = store.notes.find(sink);
  return note == store.notes.end() ? "" : note->second;
}

// Full before a batch is, the buffer makes batches of what it holds: smaller ones, and late. What
// is claimed is not dropped, so a policy that drops may find nothing else.
void tell_large_batch(const SinkConfig& sink, const Config& config, Findings& findings) {
  const std::optional<std::uint64_t> limit = config.buffer.max_size;  // default: by the disk's size
  if (!limit) return;
  if (sink.batch.max_size >= *limit)
    return findings.warnings.push_back(fmt::format(
        "sink {}: {} ({}) is not below buffer.max_size ({}): the buffer is full before "
        "a batch is, and reading waits or records are dropped until it is delivered",
        sink.name, sink.batch.size_key(), format_size(sink.batch.max_size), format_size(*limit)));
  const std::uint64_t batches = sink.concurrency + sink.unacknowledged;
  if (config.buffer.when_full == WhenFull::kDropOldest && batches * sink.batch.max_size >= *limit)
    findings.warnings.push_back(fmt::format(
        "sink {}: {} batches of {} (concurrency{}, {}) are not below buffer.max_size ({}): what is "
        "under way is not dropped, so while the sink is away reading may wait as with \"block\"",
        sink.name, batches, format_size(sink.batch.max_size),
        sink.unacknowledged > 0 ? ", unacknowledged" : "", sink.batch.size_key(),
        format_size(*limit)));
}

// "https://es1:9200/gateway-2026.11.26": where a record of now goes.
std::string destination_of(const ElasticsearchConfig& sink, const AgentConfig& agent,
                           const Clock& clock) {
  std::vector<std::string> warnings;  // told with the config
  const auto index = index_of(sink, agent.labels, warnings);
  const std::string first = sink.endpoints.empty() ? "" : sink.endpoints.front();
  return first + (first.ends_with('/') ? "" : "/") + (index ? index->at(clock.wall()) : "");
}

std::string destination_of(const SplunkConfig& sink) {
  return sink.endpoints.empty() ? "" : sink.endpoints.front();
}

}  // namespace

MadeSinks make_sinks(const Config& config, const std::string& agent_id) {
  const SinkContext context = sink_context(config.agent, agent_id);
  MadeSinks sinks;
  for (const Component& component : config.sinks) sinks.push_back(make_sink(component, context));
  return sinks;
}

void tell_read_only(const std::string& what, const std::string& path, const ServiceUnit& unit,
                    Findings& findings) {
  if (unit.lets_write(path)) return;
  const std::string help = is_below_mount_points(path)
                               ? how_to_drop_in(kMedia)
                               : how_to_drop_in(kDirectory, "ReadWritePaths=-" + path);
  (unit.runs_it ? findings.errors : findings.warnings)
      .push_back(fmt::format("{}: the service may not write to {} (ProtectSystem=strict); {}", what,
                             path, help));
}

std::vector<SinkCheck> check_sinks(const Config& config, const MadeSinks& sinks,
                                   const StoreCheck& store, const ServiceUnit& unit,
                                   const Clock& clock, Findings& findings) {
  std::vector<SinkCheck> checks;
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const Component& component = config.sinks[i];
    SinkCheck& check = checks.emplace_back(SinkCheck{component.name, component.type, "", ""});
    const std::size_t errors = findings.errors.size();
    if (component.type == "directory") {
      const auto& directory = component.as<DirectoryConfig>();
      check_directory(directory, note_of(store, component.name), checked_user(unit), findings);
      tell_beside_buffer(directory, config.agent.data_dir, findings);
      if (!is_at_or_below(directory.path, config.agent.data_dir))
        tell_read_only("sink " + component.name, directory.path, unit, findings);
      check.destination = directory.path + "/";
    } else if (component.type == "s3") {
      check.destination = "s3://" + component.as<S3Config>().bucket.name + "/";
    } else if (component.type == "elasticsearch") {
      check.destination = destination_of(component.as<ElasticsearchConfig>(), config.agent, clock);
    } else if (component.type == "splunk") {
      check.destination = destination_of(component.as<SplunkConfig>());
    }
    const bool by_request = component.type == "elasticsearch" || component.type == "splunk";
    if (const Result<SinkParts>& parts = sinks[i]; parts) {
      tell_large_batch(parts->config, config, findings);
      check.key = parts->sink->key(sample_batch(parts->config, config, store.epoch, clock), "");
      if (!by_request) check.destination += check.key;
      if (component.type == "directory") tell_read_again(check, config, findings);
    } else if (findings.errors.size() == errors) {  // what is told already is not told twice
      findings.errors.push_back(parts.error().message);
    }
    check.hopeless = findings.errors.size() > errors;
  }
  return checks;
}

}  // namespace edgehose
