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
#include "agent/run/registry.h"

namespace edgehose {
namespace {

void print_parts(std::string_view title, const std::vector<ResourcePart>& parts) {
  fmt::print("{:<48} {:>12}\n", title, format_size(total(parts)));
  for (const ResourcePart& part : parts)
    fmt::print("  {:<46} {:>12}\n", clipped(part.what, 46), format_size(part.bytes));
}

void print_sources(const std::vector<SourceCheck>& sources, bool first_start) {
  fmt::print("\nSources: {}\n", first_start ? "a first start would ship" : "what matches now");
  std::uint64_t bytes = 0;
  for (const SourceCheck& source : sources) {
    fmt::print("  {:<24} {:>8} files {:>12}\n", clipped(source.name, 24),
               format_count(source.files), format_size(source.bytes));
    bytes += source.bytes;
  }
  fmt::print("  {:<24} {:>8}       {:>12}\n", "together", "", format_size(bytes));
}

void print_sinks(const std::vector<SinkCheck>& sinks, bool first_start) {
  fmt::print("\nSinks: an object would be named like{}\n",
             first_start ? " (the zeros stand for the epoch that a first start draws)" : "");
  for (const SinkCheck& sink : sinks)
    fmt::print("  {} ({}): {}\n", sink.name, sink.type,
               sink.destination.empty() ? "-" : sink.destination);
}

int print_findings(const Findings& findings) {
  fmt::print("\n");
  std::fflush(stdout);
  for (const std::string& warning : findings.warnings) complain("warning: " + warning);
  for (const std::string& error : findings.errors) complain("error: " + error);
  if (findings.errors.empty()) {
    fmt::print("The config is good{}.\n",
               findings.warnings.empty()
                   ? ""
                   : fmt::format(", with {} warning(s)", findings.warnings.size()));
    return kExitOk;
  }
  fmt::print("{} error(s), {} warning(s).\n", findings.errors.size(), findings.warnings.size());
  return kExitFailed;
}

int check_config(const Invocation& invocation) {
  const auto loaded = load_config(load_options(invocation), make_schema());
  if (!loaded) {
    for (const config::Problem& problem : loaded.error()) complain("error: " + problem.text());
    fmt::print(stderr, "{} error(s).\n", loaded.error().size());
    return kExitUsage;
  }
  const Config& config = loaded->config;
  fmt::print("Config: {}\n\n{}", fmt::join(loaded->files, ", "),
             effective_config(loaded->settings));

  const auto clock = make_system_clock();
  Findings findings;
  for (const config::Problem& warning : loaded->warnings)
    findings.warnings.push_back(warning.text());
  const auto id = agent_id(config.agent, false);
  if (!id) findings.errors.push_back(id.error().message);
  const StoreCheck store = check_store(config, *clock, findings);
  const auto sources = check_sources(config, *clock, findings);
  const auto sinks = check_sinks(config, id.value_or("unknown"), store.epoch, *clock, findings);

  std::vector<std::uint64_t> files;
  for (const SourceCheck& source : sources) files.push_back(source.files);
  const Resources resources = worst_case(config, store.limit, files);
  fmt::print("\n");
  print_parts("Memory, at worst", resources.memory);
  print_parts("Disk below " + config.agent.data_dir + ", at worst", resources.disk);
  if (!store.hint.empty()) fmt::print("\n{}", store.hint);
  print_sources(sources, !store.epoch);
  print_sinks(sinks, !store.epoch);
  findings.warnings.insert(findings.warnings.end(), store.orphans.begin(), store.orphans.end());
  return print_findings(findings);
}

// In a child that is the service's user for good: what it cannot do, the service cannot.
int check_as(const User& user, const Invocation& invocation) {
  fmt::print("Checking as the service's user, {}.\n", user.name);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return failed(errno_error(errno, "starting the check"));
  if (child == 0) {
    const Status became = become(user, read_service_unit().supplementary_groups());
    const int code = became ? check_config(invocation) : failed(became.error());
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
  if (!is_root()) return check_config(invocation);
  if (const auto service = find_user(kServiceUser)) return check_as(*service, invocation);
  fmt::print("There is no user {}: checking as root, who may read everything.\n", kServiceUser);
  return check_config(invocation);
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .arguments = "",
          .summary = "checks the config and what it will meet on this device",
          .description =
              "Reads the config and tells every error in it at once. Then shows the effective\n"
              "settings and where each came from (secrets masked), the worst case of memory\n"
              "and disk, what a first start would ship, and a sample object name for each\n"
              "sink. Tries what would fail later: directories, keys, recipients, prefixes,\n"
              "permissions, the buffer's format. Nothing is changed, nothing is sent.\n"
              "\n"
              "Run by root it checks as the service's user (edgehose), if there is one, in the\n"
              "groups that the unit adds. Logs that cannot be read are warnings, with the\n"
              "command that helps.",
          .options = {},
          .examples =
              "edgehose check\n"
              "edgehose --config ./edgehose.toml check\n"
              "edgehose check --set sinks.archive.path=/mnt/logs",
          .exit_codes =
              "0  good; there may be warnings\n"
              "1  the config can be read, but would fail on this device\n"
              "2  the command line or the config is wrong",
          .run = check};
}

}  // namespace edgehose
