// DemoRun: what `edgehose demo` shows, told on standard output while it happens: a log that is
// written and rotated, the agent that follows it, is killed with SIGKILL half-way, started again,
// stopped, and empties its buffer with `run --once`; then the comparison of what arrived.
//
// Threading: one thread; it waits in steps of 10 ms, and starts processes (agent_process.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/commands/agent_process.h"
#include "agent/commands/demo_log.h"
#include "agent/commands/demo_proof.h"

namespace edgehose {

struct DemoPlan {
  std::string directory;  // empty, and the demo's own
  std::uint64_t lines = 0;
  Duration logging{};               // how long the gateway logs, where the machine keeps up
  bool (*interrupted)() = nullptr;  // asked every 10 ms: then the demo ends with kCancelled
};

struct DemoReport {
  DemoProof proof;
  std::uint64_t lines = 0, log_bytes = 0;  // logged
  std::optional<std::uint64_t> written;    // bytes, by the agent, to disk; none: not known
  Duration took{};
};

class DemoRun {
 public:
  DemoRun(DemoPlan plan, Clock& clock);

  // Errors: the agent ended by itself, or did not deliver in time; a disk that is full; kCorrupt:
  // an object that cannot be opened; kCancelled. The agent does not run any more then.
  Result<DemoReport> run();

  std::string agent_log() const { return below("agent.log"); }

 private:
  std::string below(const std::string& name) const { return plan_.directory + "/" + name; }
  Status prepare();
  Status log_through_a_crash(DemoLog& log);
  Status drain();

  // Goes on logging until then, or until so many lines are logged.
  Status log_on(DemoLog& log, Instant until, std::uint64_t lines);
  // Until the agent ends: its exit code, as AgentProcess tells it.
  Result<int> await_end(Duration limit, const std::string& what);
  Status rest() const;  // a step of waiting; kCancelled
  Status agent_runs();

  Duration elapsed() const { return clock_.now() - begin_; }
  void say(std::string_view first, std::string_view second = {}) const;

  const DemoPlan plan_;
  Clock& clock_;
  AgentProcess agent_;
  std::optional<AgeIdentity> identity_;
  gateway::LineOptions line_;
  Instant begin_{};
};

}  // namespace edgehose
