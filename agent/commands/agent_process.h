// AgentProcess: this program as a child that runs the agent, in lives that begin and end. It dies
// with its parent, however that one ends.
//
// Threading: one thread, which must not have others beside it: it forks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

class AgentProcess {
 public:
  // `log`: takes what the agent says, of all lives.
  AgentProcess(std::string config, std::string log)
      : config_(std::move(config)), log_(std::move(log)) {}
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;
  ~AgentProcess();  // kills a life that goes on

  // Begins a life: `edgehose run`, and these options. None may be going on.
  Status start(const std::vector<std::string>& options = {});
  // To the life that goes on; nothing where none does.
  void send(int signal);
  // How the last life ended, as a shell tells it: its exit code, or 128 and the signal. None while
  // it goes on.
  std::optional<int> ended();

  // Bytes that all lives so far had written to disk when they ended; none where the kernel does not
  // tell.
  std::optional<std::uint64_t> written() const { return written_; }

 private:
  const std::string config_, log_;
  pid_t pid_ = -1;          // of the life that goes on
  FileDescriptor account_;  // /proc/PID/io of the last one; none where there is no /proc
  int code_ = 0;            // of the last one that ended
  std::optional<std::uint64_t> written_ = 0;
};

}  // namespace edgehose
