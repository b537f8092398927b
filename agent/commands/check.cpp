// edgehose check: what a config means on this machine, and what would fail later.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/commands/layout.h"
#include "agent/commands/load.h"
#include "agent/commands/service_unit.h"
#include "agent/commands/service_user.h"
#include "agent/commands/table.h"
#include "agent/config/agent_id.h"
#include "agent/config/reference.h"

namespace edgehose {
namespace {

void print_parts(std::string_view title, const std::vector<ResourcePart>& parts) {
  fmt::print("\n{}\n", title);
  for (const ResourcePart& part : parts)
    fmt::print("  {:<46} {:>12}\n", clipped(part.what, 46), format_size(part.bytes));
}

std::string findings_text(const Findings& findings) {
  const std::string warnings = format_count(findings.warnings.size(), "warning");
  if (!findings.errors.empty())
    return fmt::format("The config would fail here: {}, {}.",
                       format_count(findings.errors.size(), "error"), warnings);
  return findings.warnings.empty() ? "The config is good."
                                   : fmt::format("The config is good, with {}.", warnings);
}

// Long names of objects are for copying: they are broken on a terminal only, where they would be.
void print_key(const SinkCheck& sink) {
  const std::string key = sink.destination.empty() ? "-" : printable(sink.destination);
  fmt::print("  {} ({}):\n    {}", printable(sink.name), sink.type,
             ::isatty(STDOUT_FILENO) == 1 ? wrapped(key, 4) : key + "\n");
}

struct Report {
  Findings findings;
  std::optional<Epoch> epoch;
  Resources resources;
  std::vector<SourceCheck> sources;
  std::vector<SinkCheck> sinks;
  std::vector<ConnectionCheck> connections;
  std::string hint;
};

// What a person wants to know first.
void print_summary(const Report& report) {
  std::uint64_t files = 0, bytes = 0;
  for (const SourceCheck& source : report.sources) {
    files += source.files;
    bytes += source.bytes;
  }
  fmt::print("{}\n", findings_text(report.findings));
  fmt::print("  {:<22} {:>12}\n", "memory, at worst", format_size(total(report.resources.memory)));
  fmt::print("  {:<22} {:>12}\n", "disk, at worst", format_size(total(report.resources.disk)));
  fmt::print("  {:<22} {:>12}  of {}\n",
             report.epoch ? "files that match now" : "a first start ships", format_size(bytes),
             format_count(files, "file"));
  if (report.sinks.empty()) return;
  fmt::print("\nSinks: an object would be named like{}\n",
             report.epoch ? "" : " (zeros: the epoch that a first start draws)");
  for (const SinkCheck& sink : report.sinks) print_key(sink);
}

std::string_view word_for(Trial::Outcome outcome) {
  switch (outcome) {
    case Trial::Outcome::kGood: return "ok";
    case Trial::Outcome::kWarning: return "warning";
    case Trial::Outcome::kFailed: return "failed";
  }
  return "";
}

void print_connections(const std::vector<ConnectionCheck>& connections) {
  fmt::print("\nConnections: what the destinations say\n");
  if (connections.empty()) fmt::print("  there is no sink\n");
  for (const ConnectionCheck& sink : connections) {
    fmt::print("  {} ({}):\n", printable(sink.name), sink.type);
    for (const Trial& trial : sink.trials)
      fmt::print("    {:<8}{}", word_for(trial.outcome),
                 trial.outcome == Trial::Outcome::kGood ? wrapped(printable(trial.what), 12)
                                                        : "see below\n");
  }
}

void print_findings(const Findings& findings) {
  if (!findings.errors.empty() || !findings.warnings.empty()) fmt::print("\n");
  for (const std::string& error : findings.errors) complain("error: " + error);
  for (const std::string& warning : findings.warnings) complain("warning: " + warning);
}

void print_details(const Report& report, const std::string& data_dir) {
  print_parts("Memory, at worst", report.resources.memory);
  print_parts(fmt::format("Disk, at worst, below {}", data_dir), report.resources.disk);
  if (!report.hint.empty()) fmt::print("\n{}", report.hint);
  fmt::print("\nSources: {}\n",
             report.epoch ? "what matches now" : "what a first start would ship");
  for (const SourceCheck& source : report.sources)
    fmt::print("  {:<28} {:>17} {:>12}\n", clipped(printable(source.name), 28),
               format_count(source.files, "file"), format_size(source.bytes));
}

Report examine(const LoadedConfig& loaded, const ServiceUnit& unit, bool connect) {
  const Config& config = loaded.config;
  const auto clock = make_system_clock();
  Report report;
  Findings& findings = report.findings;
  for (const config::Problem& warning : loaded.warnings)
    findings.warnings.push_back(warning.text());
  if (unit.installed && !unit.makes_user() && !find_user(unit.user()))
    findings.errors.push_back(
        fmt::format("edgehose.service runs as the user {0}, who is not there: "
                    "useradd --system --no-create-home --groups adm,systemd-journal {0}",
                    unit.user()));
  const auto id = agent_id(config.agent, false);
  if (!id) findings.errors.push_back(id.error().message);
  const std::string name = id.value_or("unknown");
  const StoreCheck store = check_store(config, unit, *clock, findings);
  report.epoch = store.epoch;
  report.hint = store.hint;
  check_descriptors(config, unit, findings);
  const MadeSinks sinks = make_sinks(config, name);
  report.sources =
      check_sources(config, sinks, unit, {STDOUT_FILENO, STDERR_FILENO}, *clock, findings);
  report.sinks = check_sinks(config, sinks, store, unit, *clock, findings);
  if (connect)
    report.connections =
        check_connections(config, report.sinks, checked_user(unit), *clock, findings);
  std::vector<std::uint64_t> files;
  for (const SourceCheck& source : report.sources) files.push_back(source.files);
  report.resources = worst_case(config, store.limit, files);
  if (const auto disk = disk_room(existing_ancestor(config.agent.data_dir), store.allocated, 0,
                                  config.buffer.free_disk_percent))
    tell_disk(config, {*disk, store.limit, total(report.resources.disk), store.holds_records},
              findings);
  findings.warnings.insert(findings.warnings.end(), store.orphans.begin(), store.orphans.end());
  return report;
}

int check_config(const Invocation& invocation, const ServiceUnit& unit) {
  LoadOptions options = load_options(invocation, Needs::kAll);
  options.service = unit.grants();
  const auto loaded = load_config(options, make_schema());
  if (!loaded) {
    const auto& [errors, warnings] = loaded.error();
    for (const config::Problem& problem : errors) complain("error: " + problem.text());
    for (const config::Problem& problem : warnings) complain("warning: " + problem.text());
    fmt::print(stderr, "{}, {}. Files, disks and destinations are looked at once that is mended.\n",
               format_count(errors.size(), "error"), format_count(warnings.size(), "warning"));
    return kExitUsage;
  }
  ServiceUnit service = unit;
  service.runs_it = unit.installed && unit.config() == options.path;
  const bool connect = invocation.has("connect");
  const Report report = examine(*loaded, service, connect);
  print_summary(report);
  if (connect) print_connections(report.connections);
  print_findings(report.findings);
  print_details(report, loaded->config.agent.data_dir);
  fmt::print("\nThe config in effect, from {}\n{}", fmt::join(loaded->files, ", "),
             effective_config(loaded->settings));
  return report.findings.errors.empty() ? kExitOk : kExitFailed;
}

// In a child that is the service's user for good: what it cannot do, the service cannot.
int check_as(const User& user, const Invocation& invocation, const ServiceUnit& unit) {
  fmt::print("Checking as the service's user, {}.\n", user.name);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return failed(errno_error(errno, "starting the check"));
  if (child == 0) {
    const Status became = become(user, unit.supplementary_groups(), unit.reads_everything());
    const int code = became ? check_config(invocation, unit) : failed(became.error());
    std::fflush(nullptr);
    ::_exit(code);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kExitFailed;
}

int check(const Invocation& invocation) {
  log::set_level(log::Level::kWarn);
  const ServiceUnit unit = read_service_unit();  // by root: its files may be root's alone
  if (!is_root()) return check_config(invocation, unit);
  if (auto service = find_user(unit.user())) {
    service->gid = find_group(unit.group()).value_or(service->gid);
    return check_as(*service, invocation, unit);
  }
  fmt::print("There is no user {}: checking as root, who may read everything.\n", unit.user());
  return check_config(invocation, unit);
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .arguments = "",
          .summary = "checks the config and what it will meet on this device",
          .description =
              "Reads the config and tells every error in it at once. Tries what would fail\n"
              "later: directories, keys, recipients, prefixes, permissions, the buffer's\n"
              "format. Nothing is changed, nothing is sent, but with --connect.\n"
              "\n"
              "First comes the verdict, with the worst case of memory and disk, what a first\n"
              "start would ship and a sample object name for each sink; then errors and\n"
              "warnings; then what the worst case is made of; last the config in effect, and\n"
              "where each value came from (secrets masked).\n"
              "\n"
              "Run by root it checks as the user that the service's unit names (edgehose where\n"
              "there is no unit), in the groups that the unit adds. Logs that cannot be read\n"
              "are warnings, with the command that helps. What the unit gives to the service\n"
              "alone, credentials and variables, is a warning where it cannot be tried here.",
          .options = {{"connect", "",
                       "Asks every sink's destination whether it would take an object; leaves "
                       "none there"}},
          .examples =
              "edgehose check\n"
              "edgehose check --connect\n"
              "edgehose --config ./edgehose.toml check\n"
              "edgehose check --set sinks.archive.path=/mnt/logs",
          .exit_codes =
              "0  good; there may be warnings\n"
              "1  the config can be read, but would fail on this device\n"
              "2  the command line or the config is wrong",
          .run = check};
}

}  // namespace edgehose
