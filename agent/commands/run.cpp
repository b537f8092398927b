// edgehose run: the agent itself.
#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/commands/load.h"
#include "agent/commands/service_unit.h"
#include "agent/commands/service_user.h"
#include "agent/commands/table.h"
#include "agent/run/agent.h"
#include "agent/run/drain.h"
#include "agent/run/registry.h"
#include "agent/run/reload.h"

namespace edgehose {
namespace {

constexpr std::size_t kToldErrors = 20;  // of a config, in the log

Result<LoadedConfig> load_again(const Invocation& invocation) {
  auto loaded = load_config(load_options(invocation, Needs::kAll), make_schema());
  if (loaded) return *std::move(loaded);
  const std::vector<config::Problem>& errors = loaded.error().errors;
  for (std::size_t i = 1; i < std::min(errors.size(), kToldErrors); ++i)
    log::error("config: {}", errors[i].text());
  const std::string more =
      errors.size() == 1 ? "" : fmt::format(" (and {} more: edgehose check)", errors.size() - 1);
  return fail(ErrorCode::kInvalid, "{}{}", errors.front().text(), more);
}

int run(const Invocation& invocation) {
  hold_hangups();
  RunOptions options;
  options.once = invocation.has("once");
  if (const auto timeout = invocation.value("timeout")) {
    const auto duration = parse_duration(*timeout);
    if (!duration || *duration <= Duration{})
      return usage_error("run",
                         fmt::format("--timeout {} is not a duration: 30s, 5m, 1h30m", *timeout));
    if (!options.once)
      return usage_error("run", "--timeout needs --once: a service runs until it is stopped");
    options.timeout = *duration;
  }
  const auto drain = invocation.value("drain");
  if (drain && !options.once) return usage_error("run", "--drain needs --once");
  options.handed = take_handover().value_or(Handover{});
  const auto loaded = load_or_complain(invocation, Needs::kAll, options.handed.config);
  if (!loaded && !options.handed.before.empty())
    return failed(
        go_back(options.handed, {ErrorCode::kInvalid, 0, "it cannot be loaded any more"}));
  if (!loaded) return kExitUsage;
  options.config_path = absolute_config(invocation);
  options.load_again = [&] { return load_again(invocation); };

  const std::string& data_dir = loaded->config.agent.data_dir;
  if (const Status made = make_data_dir(data_dir, find_user(read_service_unit().user())); !made)
    return failed(with_advice(made.error(), data_dir));
  options.version = std::string(kVersion);
  const Result<int> code =
      drain ? drain_set_aside(*loaded, options, *drain) : run_agent(*loaded, options);
  return code ? *code : failed(with_advice(code.error(), data_dir));
}

}  // namespace

Command run_command() {
  return {
      .name = "run",
      .arguments = "",
      .summary = "reads the sources and delivers them, until stopped",
      .description =
          "Runs the agent in the foreground: reads what the config names, keeps it in\n"
          "the buffer below data_dir and delivers it to every sink. The log goes to\n"
          "standard error. SIGTERM and SIGINT end it within 5 s; what is not yet\n"
          "delivered stays in the buffer and goes out after the next start. SIGHUP has it\n"
          "take on the config as it is now (edgehose help reload).\n"
          "\n"
          "With --once it reads what is there now, delivers all of it, shows its\n"
          "progress and ends. What it could not read, had to drop or what a destination\n"
          "refused is told then. A last line that has no line end yet is delivered as it\n"
          "is: what is appended to it later is a record of its own.\n"
          "\n"
          "A buffer of a later release, or of another kind of machine, is set aside in\n"
          "data_dir, and a new one begins. A start with a release that can read it\n"
          "delivers it beside all else, each record under the name that it has; --drain\n"
          "does only that.",
      .options = {{"once", "",
                   "Delivers what is there now, then ends; 0 only when all of it is acknowledged"},
                  {"drain", "DIRECTORY",
                   "With --once: reads nothing, delivers what a set-aside buffer holds"},
                  {"timeout", "DURATION", "With --once: gives up after this long (30s, 5m)"}},
      .examples =
          "edgehose run                        # what the service does\n"
          "edgehose run --once --timeout 10m   # empty a device before it is unplugged",
      .exit_codes =
          "0  stopped as asked; with --once: everything is acknowledged\n"
          "1  it cannot run: the buffer is held by another process, damaged beyond\n"
          "   recovery, or out of reach; with --once: something could not be read,\n"
          "   was dropped (buffer.when_full) or refused\n"
          "2  the command line or the config is wrong\n"
          "3  --timeout came first: the rest stays in the buffer",
      .run = run};
}

}  // namespace edgehose
