// check --connect: what only the destinations can tell. Nothing is left there.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "agent/base/file.h"
#include "agent/base/grant.h"
#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/directory_tree.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/elasticsearch/search_probe.h"
#include "sinks/s3/region.h"
#include "sinks/s3/s3_config.h"
#include "sinks/s3/s3_probe.h"
#include "sinks/splunk/splunk_probe.h"

namespace edgehose {
namespace {

constexpr std::size_t kProbeBytes = 4096;

// A file of its own, removed before it is written: whatever ends this process, nothing stays.
Result<Duration> write_file(const std::string& directory, const Clock& clock) {
  const Instant begin = clock.now();
  std::string path = directory + "/.edgehose-check.XXXXXX";
  const FileDescriptor file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "creating " + path);
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "removing " + path);
  EH_TRY(write_all(file.get(), std::string(kProbeBytes, '\n'), path));
  if (::fdatasync(file.get()) != 0) return fail_errno(errno, "fdatasync of " + path);
  return clock.now() - begin;
}

// One that is missing is mounted later, or made by the sink itself, which is not done here: where
// neither can be, that is told already.
std::vector<Trial> try_directory(const DirectoryConfig& sink, const std::string& user,
                                 const Clock& clock) {
  const auto directory = open_file(sink.path, O_PATH | O_DIRECTORY);
  if (!directory)
    return {{directory.error().sys == ENOENT ? Trial::Outcome::kWarning : Trial::Outcome::kFailed,
             fmt::format("{}; nothing can be tried until it is there", directory.error().message)}};
  if (const Status mounted = refuse_unmounted(directory->get(), sink.path); !mounted)
    return {{Trial::Outcome::kWarning,
             fmt::format("{}; nothing can be tried until then", mounted.error().message)}};
  const auto took = write_file(sink.path, clock);
  if (!took)
    return {{Trial::Outcome::kFailed,
             fmt::format("{}; {}", took.error().message, how_to_grant_writing(sink.path, user))}};
  std::vector<Trial> trials{
      {Trial::Outcome::kGood,
       fmt::format("a file was written, synced and removed in {} ms",
                   std::chrono::duration_cast<std::chrono::milliseconds>(*took).count())}};
  struct statvfs space {};
  if (::statvfs(sink.path.c_str(), &space) != 0) return trials;
  const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
  const bool small = free < sink.common.batch.max_size;
  trials.push_back({small ? Trial::Outcome::kWarning : Trial::Outcome::kGood,
                    fmt::format("{} free{}", format_size(free),
                                small ? ", less than one batch: make room" : "")});
  return trials;
}

std::vector<Trial> try_bucket(S3Config sink, const std::string& key, Clock& clock) {
  sink.bucket = with_region(sink.bucket, sink.credentials.profile, aws::Environment{});
  return try_s3({.config = std::move(sink), .key = key}, clock);
}

std::vector<Trial> try_sink(const Component& sink, const std::string& key, const std::string& user,
                            Clock& clock) {
  if (sink.type == "s3") return try_bucket(sink.as<S3Config>(), key, clock);
  if (sink.type == "elasticsearch")
    return try_search({.config = sink.as<ElasticsearchConfig>()}, clock);
  if (sink.type == "splunk") return try_splunk({.config = sink.as<SplunkConfig>()}, clock);
  return try_directory(sink.as<DirectoryConfig>(), user, clock);
}

}  // namespace

std::vector<ConnectionCheck> check_connections(const Config& config,
                                               const std::vector<SinkCheck>& sinks,
                                               const std::string& user, Clock& clock,
                                               Findings& findings) {
  std::vector<ConnectionCheck> checks;
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const Component& component = config.sinks[i];
    ConnectionCheck& check =
        checks.emplace_back(ConnectionCheck{component.name, component.type, {}});
    if (sinks[i].hopeless) {
      check.trials = {{Trial::Outcome::kFailed, "not tried: see the errors"}};
      continue;
    }
    check.trials = try_sink(component, sinks[i].key, user, clock);
    for (const Trial& trial : check.trials) {
      const std::string told = fmt::format("sink {}: {}", check.name, trial.what);
      if (trial.outcome == Trial::Outcome::kFailed) findings.errors.push_back(told);
      if (trial.outcome == Trial::Outcome::kWarning) findings.warnings.push_back(told);
    }
  }
  return checks;
}

}  // namespace edgehose
