#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/commands/drop_in.h"
#include "agent/commands/logrotate.h"
#include "agent/commands/service_user.h"
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

// ", or let it join the group of the file: usermod ..." where that would do; or empty.
std::string group_hint(const std::string& path, const ServiceUnit& unit) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IRGRP) == 0 || info.st_gid == 0)
    return {};
  const auto group = group_name(info.st_gid);
  if (!group) return {};
  return fmt::format("; or let {0} join the file's group: usermod -aG {1} {0}, then restart it",
                     checked_user(unit), *group);
}

// What no setfacl helps against: files that are made anew for their owner alone.
void tell_unreadable(const SourceCheck& check, const std::vector<std::string>& unreadable,
                     const ServiceUnit& unit, Findings& findings) {
  for (std::size_t i = 0; i < unreadable.size() && i < kToldFiles; ++i)
    findings.warnings.push_back(fmt::format("source {}: {} cannot be read: {}{}", check.name,
                                            unreadable[i], how_to_grant(unreadable[i], false),
                                            group_hint(unreadable[i], unit)));
  if (unreadable.size() > kToldFiles)
    findings.warnings.push_back(fmt::format("source {}: and {} more cannot be read", check.name,
                                            format_count(unreadable.size() - kToldFiles, "file")));
  if (!unreadable.empty() && unit.installed)
    findings.warnings.push_back(fmt::format(
        "source {}: where a program makes its log anew for its owner alone, the service needs the "
        "right to read every file; {}",
        check.name, how_to_drop_in(kAllLogs)));
}

// systemd hides or closes some directories, whatever their permissions say.
void tell_hidden(const FileSourceConfig& config, const ServiceUnit& unit, Findings& findings) {
  for (const std::string& path : config.paths) {
    if (!unit.hides(path)) continue;
    const bool tmp = is_at_or_below(path, "/tmp") || is_at_or_below(path, "/var/tmp");
    findings.warnings.push_back(fmt::format(
        "source {}: {} does not see {}; {}", config.name,
        tmp ? "the service has a /tmp of its own and" : "homes are closed to the service, which",
        path, how_to_drop_in(tmp ? kTmpLogs : kHomeLogs)));
  }
}

// A rotation that copies and then truncates loses what is written in between, to every reader.
void tell_copytruncate(const FileSourceConfig& config, std::size_t index, const Discovery& found,
                       const std::vector<LogrotateRule>& rules, Findings& findings) {
  for (const LogrotateRule& rule : rules) {
    const auto hit =
        std::find_if(found.files.begin(), found.files.end(), [&](const FoundFile& file) {
          return file.named && file.selection == index && rotates(rule, file.path);
        });
    if (hit == found.files.end()) continue;
    findings.warnings.push_back(fmt::format(
        "source {}: {} rotates {} with copytruncate: what is written between its copy and its "
        "truncation is lost, whoever reads; let it use create, and a postrotate by which the "
        "program opens its log anew",
        config.name, rule.file, hit->path));
  }
}

// Of several patterns one may be misspelt while others match. A file with several names is told
// under one of them: each pattern is asked on its own whether it leads to one.
std::vector<std::string> unmatched(const FileSelection& selection, const Discovery& found) {
  std::vector<std::string> patterns;
  for (const Glob& glob : selection.paths) {
    const bool told = std::ranges::any_of(
        found.files, [&](const FoundFile& file) { return file.named && glob.matches(file.path); });
    StatCache stats;
    if (!told && discover({{{glob}, selection.exclude}}, {}, stats).named[0] == 0)
      patterns.push_back(glob.text());
  }
  return patterns;
}

bool selects(const FileSelection& selection, const std::string& path) {
  return !excluded(selection.exclude, path) &&
         std::any_of(selection.paths.begin(), selection.paths.end(),
                     [&](const Glob& glob) { return glob.matches(path); });
}

// A file belongs to the first source that names it.
void tell_shadowed(const std::vector<FileSelection>& selections,
                   const std::vector<FileSourceConfig>& configs, const Discovery& found,
                   Findings& findings) {
  for (std::size_t i = 1; i < configs.size(); ++i) {
    std::vector<std::uint64_t> taken(i, 0);  // by an earlier source
    for (const FoundFile& file : found.files)
      if (file.named && file.selection < i && selects(selections[i], file.path))
        ++taken[file.selection];
    for (std::size_t owner = 0; owner < i; ++owner)
      if (taken[owner] > 0)
        findings.warnings.push_back(
            fmt::format("source {}: {} that it names {} read by [sources.{}] alone",
                        configs[i].name, format_count(taken[owner], "file"),
                        taken[owner] == 1 ? "is" : "are", configs[owner].name));
  }
}

SourceCheck check_file_source(const FileSourceConfig& config, const FileSelection& selection,
                              std::size_t index, const Discovery& found, const ServiceUnit& unit,
                              const Clock& clock, Findings& findings) {
  SourceCheck check{config.name, 0, 0};
  std::vector<std::string> unreadable;
  for (const FoundFile& file : found.files) {
    if (!file.named || file.selection != index) continue;
    ++check.files;
    if (takes(config, file.stat, clock)) check.bytes += file.stat.size;
    if (!may_read(file.path)) unreadable.push_back(file.path);
  }
  const auto tell = [&](const std::string& what) {
    findings.warnings.push_back(fmt::format("source {}: {}", config.name, what));
  };
  const std::string hint = directory_hint(config.paths);
  const std::vector<std::string> without_files = unmatched(selection, found);
  if (!found.problems[index].empty())
    tell(found.problems[index]);
  else if (hint.empty() && !without_files.empty())
    tell(fmt::format("no file matches {} now", fmt::join(without_files, ", ")));
  if (!hint.empty()) tell(hint);
  tell_unreadable(check, unreadable, unit, findings);
  return check;
}

// What the agent leaves out whatever a config says. A sink that cannot be made is told elsewhere.
std::vector<std::string> left_out(const AgentConfig& agent, const MadeSinks& sinks) {
  std::vector<SinkParts> made;
  for (const Result<SinkParts>& sink : sinks)
    if (sink) made.push_back(*sink);
  return own_files(agent, made);
}

// Files that the service's own output goes to; told where a source names them.
std::vector<std::string> service_output(const std::vector<FileSelection>& selections,
                                        const std::vector<FileSourceConfig>& configs,
                                        const ServiceUnit& unit, Findings& findings) {
  std::vector<std::string> globs;
  for (const std::string& path : unit.output_files()) {
    globs.push_back(quote_glob(path));
    const auto source = std::ranges::find_if(
        selections, [&](const FileSelection& selection) { return selects(selection, path); });
    if (source != selections.end())
      findings.warnings.push_back(fmt::format(
          "source {}: {} is where edgehose.service's own output goes: the service does not read it",
          configs[static_cast<std::size_t>(source - selections.begin())].name, path));
  }
  return globs;
}

void tell_own_output(const std::vector<FileSourceConfig>& configs, const Discovery& found,
                     Findings& findings) {
  for (const OwnOutput& own : found.own)
    findings.warnings.push_back(
        fmt::format("source {}: {} is where this command's own output goes; an agent whose output "
                    "goes there does not read it",
                    configs[own.selection].name, own.path));
}

}  // namespace

std::vector<SourceCheck> check_sources(const Config& config, const MadeSinks& sinks,
                                       const ServiceUnit& unit, const std::vector<int>& output,
                                       const Clock& clock, Findings& findings) {
  std::vector<FileSourceConfig> configs;
  std::vector<FileSelection> selections;
  for (const Component& source : config.sources) {
    configs.emplace_back();
    selections.emplace_back();
    if (source.type != "file") continue;
    configs.back() = source.as<FileSourceConfig>();
    auto selection = parse_selection(configs.back().paths, configs.back().exclude);
    if (selection)
      selections.back() = *std::move(selection);
    else
      findings.errors.push_back(
          fmt::format("source {}: {}", source.name, selection.error().message));
  }
  std::vector<std::string> own = service_output(selections, configs, unit, findings);
  for (std::string& glob : left_out(config.agent, sinks)) own.push_back(std::move(glob));
  for (FileSelection& selection : selections)
    selection.exclude.insert(selection.exclude.end(), own.begin(), own.end());
  StatCache stats;
  const Discovery found = discover(selections, {}, stats, output);
  const std::vector<LogrotateRule> rules = copytruncate_rules("/etc");
  std::vector<SourceCheck> checks;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    if (config.sources[i].type != "file") {
      checks.push_back({config.sources[i].name, 0, 0});
      continue;
    }
    checks.push_back(check_file_source(configs[i], selections[i], i, found, unit, clock, findings));
    tell_hidden(configs[i], unit, findings);
    tell_copytruncate(configs[i], i, found, rules, findings);
  }
  tell_shadowed(selections, configs, found, findings);
  tell_own_output(configs, found, findings);
  return checks;
}

}  // namespace edgehose
