// edgehose reload: has the running agent take on its config, and tells whether it did.
#include "agent/base/log.h"
#include "agent/commands/load.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/table.h"
#include "agent/run/control_client.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

// Less than systemd's own patience with a reload: TimeoutStartSec, five minutes in the unit.
constexpr Duration kPatience = std::chrono::seconds(60);
constexpr Duration kPoll = std::chrono::milliseconds(50);

// Where the agent may listen. A config with errors cannot say where; a service listens where it
// always does.
struct Places {
  std::vector<std::string> sockets;
  std::string config_error;  // empty: the config says where, or the command does
};

Places places_of(const Invocation& invocation) {
  if (const auto given = invocation.value("socket")) return {{*given}, ""};
  Places places;
  if (const auto loaded = load_config(load_options(invocation, Needs::kBuffer), make_schema()))
    places.sockets = agent_sockets(loaded->config.agent);
  else
    places.config_error = loaded.error().errors.front().text();
  places.sockets.emplace_back(kServiceSocket);
  return places;
}

// Of another config's agent only where its socket was named.
Result<RunningAgent> find(const Invocation& invocation) {
  const Places places = places_of(invocation);
  auto agent = find_agent(places.sockets, "");
  if (!agent && agent.error().code == ErrorCode::kNotFound && !places.config_error.empty())
    return fail(ErrorCode::kNotFound,
                "{}; and no agent answers at {}: where yours listens in its data_dir, add --socket "
                "DATA_DIR/status.sock",
                places.config_error, kServiceSocket);
  if (!agent) return agent;
  const std::string config = absolute_config(invocation);
  const std::string& running = agent->report.config;
  if (invocation.has("socket") || running == config) return agent;
  if (running.empty())
    return fail(ErrorCode::kUnsupported,
                "the agent at {} is of a release without reload: restart it", agent->socket);
  return fail(ErrorCode::kInvalid, "the agent at {0} runs {1}, not {2}: add --config {1}",
              agent->socket, running, config);
}

// The process that the agent has become; kUnavailable where it is not heard of in time.
Result<StatusReport> await_next(const RunningAgent& before) {
  const auto clock = make_system_clock();
  const Instant deadline = clock->now() + kPatience;
  while (clock->now() < deadline) {
    clock->wait({}, clock->now() + kPoll);
    const auto found = find_agent({before.socket}, before.report.data_dir);
    // Another process: it could not start itself anew, and the service manager has.
    if (found && (found->report.pid != before.report.pid ||
                  found->report.reload.count > before.report.reload.count))
      return found->report;
  }
  return fail(ErrorCode::kUnavailable,
              "the config is good, but the agent has not been ready with it for {} s: see its log",
              std::chrono::duration_cast<std::chrono::seconds>(kPatience).count());
}

int reload(const Invocation& invocation) {
  log::set_level(log::Level::kOff);
  const auto agent = find(invocation);
  if (!agent) return failed(agent.error());
  if (const auto taken = ask_reload(agent->socket); !taken) return failed(taken.error());
  const auto next = await_next(*agent);
  if (!next) {
    complain(next.error().message);
    return kExitUnfinished;
  }
  if (!next->reload.refused.empty()) return failed({ErrorCode::kInvalid, 0, next->reload.refused});
  fmt::print("The config is in use.\n");
  return kExitOk;
}

}  // namespace

Command reload_command() {
  return {.name = "reload",
          .arguments = "",
          .summary = "has the running agent take on its changed config",
          .description =
              "Asks the running agent to read its config again, and waits until it runs with\n"
              "it. A config with an error is refused, and the one before it runs on: this\n"
              "command, the agent's log and `edgehose status` (degraded) tell the error. Only\n"
              "root and the agent's own user may ask. SIGHUP asks the same, without an\n"
              "answer.\n"
              "\n"
              "The agent starts itself anew in the same process: files and keys that the\n"
              "config names are read again, what is under way goes on as after a restart, and\n"
              "counts since the start begin again. Where such a start fails, the config before\n"
              "it runs again. agent.data_dir does not change so, and a new release is not\n"
              "taken on: both need a restart.",
          .options = {{"socket", "PATH",
                       "Where the agent listens, if not where its config says or at "
                       "/run/edgehose/status.sock: a config with an error says nothing"}},
          .examples =
              "edgehose reload\n"
              "systemctl reload edgehose   # the same, of the service",
          .exit_codes =
              "0  the agent runs with the config\n"
              "1  refused, and the one before it runs on; or no agent could be asked\n"
              "2  the command line is wrong\n"
              "3  taken, but the agent was not ready with it after a minute",
          .run = reload};
}

}  // namespace edgehose
