// The agent that has a buffer: found over its control socket, asked to change what it holds.
#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/commands/command.h"
#include "agent/config/agent_config.h"
#include "agent/run/change.h"
#include "agent/run/status_report.h"

namespace edgehose {

struct RunningAgent {
  std::string socket;
  StatusReport report;
};

// Where the agent of this config may listen: its socket, the one beside its buffer.
std::vector<std::string> agent_sockets(const AgentConfig& config);
// Of an agent that was installed as a service.
constexpr char kServiceSocket[] = "/run/edgehose/status.sock";

// The agent of this data_dir; the service's socket may belong to another one. An empty data_dir
// (the config cannot be read) takes any. kNotFound: none runs; other errors: one does not let us
// ask, the first of those.
Result<RunningAgent> find_agent(const std::vector<std::string>& sockets,
                                const std::string& data_dir);

// Makes changes, one after the other: the agent makes them where one runs, else they are made in
// its buffer directly. Tells what was done; returns what to exit with.
int make_changes(const Invocation& invocation, const std::vector<ControlChange>& changes);

}  // namespace edgehose
