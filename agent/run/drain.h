// Drain: delivers what a buffer that was set aside holds (buffer/set_aside.h), once a release that
// can read it is here. It is a data_dir of its own, so this is an agent of its own: with the same
// sinks, without sources, in one process beside the agent, since a failure of it is none of
// the agent's. What is delivered keeps its identity; where nothing is left, the directory goes.
//
// Threading: DrainProcess is main's; it forks, so it starts before any thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/run/agent.h"

namespace edgehose {

// Runs until all is acknowledged, or a signal comes; exit codes as of run_agent() with `once`.
// kUnsupported where this release cannot read it: then nothing was touched.
Result<int> drain_set_aside(const LoadedConfig& loaded, const RunOptions& options,
                            const std::string& directory);

class DrainProcess {
 public:
  // Where buffers are set aside: a process that delivers one after another. It ends with this one.
  void start(const LoadedConfig& loaded, const RunOptions& options);
  // Takes note that it has ended.
  void reap();
  // SIGTERM, and no waiting: stop() takes less then.
  void ask_to_stop();
  // Ends it, by SIGTERM, after `limit` by SIGKILL, which it survives as an agent does: for a
  // process that starts anew, and would have a second one.
  void stop(Clock& clock, Duration limit);

 private:
  pid_t process_ = -1;
};

}  // namespace edgehose
