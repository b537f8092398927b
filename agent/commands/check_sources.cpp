#include <unistd.h>

#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/sources/discovery.h"
#include "agent/sources/file_config.h"

namespace edgehose {
namespace {

constexpr std::size_t kToldFiles = 5;  // unreadable ones, by name, for each source

bool takes(const FileSourceConfig& config, const FileStat& stat, const Clock& clock) {
  if (config.start_at == StartAt::kEnd) return false;
  if (config.ignore_older == Duration{}) return true;
  return clock.wall().value - stat.mtime_ns <= config.ignore_older.count();
}

void tell_unreadable(const SourceCheck& check, const std::vector<std::string>& unreadable, Findings& findings) {
  for (std::size_t i = 0; i < unreadable.size() && i < kToldFiles; ++i)
    findings.warnings.push_back(fmt::format("source {}: {} cannot be read: {}", check.name, unreadable[i],
                                            how_to_grant(unreadable[i], false)));
  if (unreadable.size() > kToldFiles)
    findings.warnings.push_back(fmt::format("source {}: and {} more files cannot be read", check.name,
                                            unreadable.size() - kToldFiles));
}

// systemd hides or closes some directories, whatever their permissions say.
void tell_hidden(const FileSourceConfig& config, Findings& findings) {
  for (const std::string& path : config.paths)
    if (path.starts_with("/tmp/") || path.starts_with("/var/tmp/"))
      findings.warnings.push_back(
          fmt::format("source {}: the service has a /tmp of its own and does not see {}; to change it, "
                      "systemctl edit edgehose: [Service] PrivateTmp=no",
                      config.name, path));
}

SourceCheck check_file_source(const FileSourceConfig& config, const Clock& clock, Findings& findings) {
  SourceCheck check{config.name, 0, 0};
  auto selection = parse_selection(config.paths, config.exclude);
  if (!selection) {
    findings.errors.push_back(fmt::format("source {}: {}", config.name, selection.error().message));
    return check;
  }
  StatCache stats;
  const Discovery found = discover({std::move(*selection)}, {}, stats);
  std::vector<std::string> unreadable;
  for (const FoundFile& file : found.files) {
    if (!file.named) continue;
    ++check.files;
    if (takes(config, file.stat, clock)) check.bytes += file.stat.size;
    if (::access(file.path.c_str(), R_OK) != 0) unreadable.push_back(file.path);
  }
  if (!found.problems.empty() && !found.problems[0].empty())
    findings.warnings.push_back(fmt::format("source {}: {}", config.name, found.problems[0]));
  else if (check.files == 0)
    findings.warnings.push_back(fmt::format("source {}: no file matches now", config.name));
  tell_unreadable(check, unreadable, findings);
  tell_hidden(config, findings);
  return check;
}

}  // namespace

std::vector<SourceCheck> check_sources(const Config& config, const Clock& clock, Findings& findings) {
  std::vector<SourceCheck> checks;
  for (const Component& source : config.sources)
    checks.push_back(source.type == "file" ? check_file_source(source.as<FileSourceConfig>(), clock, findings)
                                           : SourceCheck{source.name, 0, 0});
  return checks;
}

}  // namespace edgehose
