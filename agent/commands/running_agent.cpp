#include "agent/commands/running_agent.h"

#include <functional>

#include "agent/commands/load.h"
#include "agent/config/agent_id.h"
#include "agent/run/control_client.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

constexpr Duration kStartPatience = std::chrono::seconds(10);
constexpr Duration kStartPoll = std::chrono::milliseconds(100);

using MakeChange = std::function<Result<ChangeReport>(const ControlChange&)>;

// A change is bounded: one that stands for many is asked for until nothing is left of it.
int make_all(const std::vector<ControlChange>& changes, const MakeChange& make) {
  int code = kExitOk;
  for (const ControlChange& change : changes) {
    std::uint64_t records = 0;
    for (;;) {
      const auto report = make(change);
      if (!report) return failed(report.error());
      records += report->records;
      if (report->more && repeats(change)) continue;
      fmt::print("{}\n", repeats(change) ? done_text(change, records) : report->text);
      if (!report->problem.empty()) code = failed({ErrorCode::kCorrupt, 0, report->problem});
      break;
    }
  }
  return code;
}

int make_directly(const OpenedBuffer& opened, const std::vector<ControlChange>& changes) {
  const ChangeContext context = change_context(opened.config->config, false);
  const int code = make_all(changes, [&](const ControlChange& change) {
    return apply_change(*opened.store, change, context);
  });
  const Status closed = opened.store->close();
  return closed ? code : failed(closed.error());
}

int ask_for_all(const RunningAgent& agent, const std::vector<ControlChange>& changes) {
  return make_all(changes,
                  [&](const ControlChange& change) { return ask_change(agent.socket, change); });
}

// What has the buffer and does not answer is mostly an agent that starts: it is waited for.
Result<RunningAgent> await_agent(const AgentConfig& config, Clock& clock) {
  const Instant deadline = clock.now() + kStartPatience;
  for (;;) {
    auto agent = find_agent(agent_sockets(config), config.data_dir);
    if (agent || agent.error().code != ErrorCode::kNotFound || clock.now() >= deadline)
      return agent;
    clock.wait({}, clock.now() + kStartPoll);
  }
}

}  // namespace

std::vector<std::string> agent_sockets(const AgentConfig& config) {
  return {status_socket_path(config), config.data_dir + "/status.sock"};
}

Result<RunningAgent> find_agent(const std::vector<std::string>& sockets,
                                const std::string& data_dir) {
  std::optional<Error> refused;
  for (const std::string& socket : sockets) {
    auto answer = ask_status(socket);
    if (!answer) {
      // The first place is the one that the config, or the service, would have.
      if (!refused && answer.error().code != ErrorCode::kNotFound) refused = answer.error();
      continue;
    }
    EH_ASSIGN(StatusReport report, parse_status(*answer));
    if (data_dir.empty() || report.data_dir == data_dir)
      return RunningAgent{socket, std::move(report)};
  }
  if (refused) return tl::unexpected(*refused);
  return fail(ErrorCode::kNotFound, "no agent is running");
}

int make_changes(const Invocation& invocation, const std::vector<ControlChange>& changes) {
  const auto loaded = load_or_complain(invocation, Needs::kBuffer);
  if (!loaded) return kExitUsage;
  const AgentConfig& config = loaded->config.agent;
  auto agent = find_agent(agent_sockets(config), config.data_dir);
  if (agent) return ask_for_all(*agent, changes);
  if (agent.error().code != ErrorCode::kNotFound) return failed(agent.error());

  const OpenedBuffer opened = open_for_writing(invocation);
  if (opened.store != nullptr) return make_directly(opened, changes);
  if (!opened.busy) return opened.code;
  agent = await_agent(config, *opened.clock);
  if (agent) return ask_for_all(*agent, changes);
  if (agent.error().code != ErrorCode::kNotFound) return failed(agent.error());
  return failed({ErrorCode::kBusy, 0,
                 opened.busy->message +
                     ". If that is the agent, it is still starting: try again in a moment"});
}

}  // namespace edgehose
