#include "agent/run/drain.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/config/agent_id.h"
#include "buffer/keyspace.h"
#include "buffer/set_aside.h"

namespace edgehose {
namespace {

constexpr int kTries = 15;  // a second apart, while another process has it
constexpr Duration kLook = std::chrono::milliseconds(10);
constexpr int kStopped = 3;  // run_agent(): a signal came

// Whether every record of it is with all sinks that it had, and none waits for a person.
Result<bool> is_drained(const StoreOptions& options, const Clock& clock) {
  EH_ASSIGN(const auto store, Store::open_read_only(options, clock));
  EH_ASSIGN(const auto lanes, store->lanes());
  EH_ASSIGN(const auto sources, store->sources());
  if (store->usage().dead_letters > 0) return false;
  if (std::ranges::any_of(lanes, [](const LaneState& l) { return l.buffered().records > 0; }))
    return false;
  // What no sink was ever to have stays as long as it is there.
  for (const SourceState& source : sources) {
    EH_ASSIGN(const auto block, store->next_block(source.id, BlockNumber(1)));
    const bool wanted = std::ranges::any_of(lanes, [&](const LaneState& l) {
      return l.key.source == source.id || l.key.source.value == 0;
    });
    if (block && !wanted) return false;
  }
  return true;
}

// The buffer goes last: what a kill leaves of the directory is drained and removed by the next
// start.
Status remove_buffer(const std::string& directory) {
  namespace fs = std::filesystem;
  const fs::path buffer = fs::path(directory) / keyspace::kEnvironmentFile;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->path() != buffer && (fs::remove_all(entry->path(), error), error)) break;
  if (!error) fs::remove(buffer, error);
  if (!error) fs::remove(directory, error);
  if (error) return fail_errno(error.value(), "removing " + directory);
  return {};
}

// What somebody brought here from elsewhere is left to them.
Status remove_drained(const std::string& data_dir, const std::string& directory) {
  std::error_code error;
  const bool ours = std::ranges::any_of(set_aside_buffers(data_dir), [&](const SetAside& buffer) {
    return std::filesystem::equivalent(buffer.directory, directory, error);
  });
  if (!ours) {
    log::info("{}: all that it held is delivered; delete it when it is of no use", directory);
    return {};
  }
  EH_TRY(remove_buffer(directory));
  log::info("{}: all that it held is delivered; it is removed", directory);
  return {};
}

// False: a signal came, and the agent ends.
bool drain(const LoadedConfig& loaded, const RunOptions& options, const std::string& directory) {
  auto code = drain_set_aside(loaded, options, directory);
  // An agent that was killed leaves one behind that is just ending.
  for (int i = 0; i < kTries && !code && code.error().code == ErrorCode::kBusy; ++i) {
    ::sleep(1);
    code = drain_set_aside(loaded, options, directory);
  }
  if (!code) log::warn("{} stays as it is: {}", directory, code.error().message);
  return code != kStopped;
}

// One after another, so that they never take the memory of more than one agent.
[[noreturn]] void be_the_drain(const LoadedConfig& loaded, const RunOptions& options,
                               const std::vector<SetAside>& buffers, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent) ::_exit(1);
  // systemd is told of the agent, not of this.
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  RunOptions quiet = options;
  quiet.progress = false;
  for (const SetAside& buffer : buffers)
    if (!drain(loaded, quiet, buffer.directory)) break;
  ::_exit(0);
}

}  // namespace

Result<int> drain_set_aside(const LoadedConfig& loaded, const RunOptions& options,
                            const std::string& directory) {
  if (!name_exists(fmt::format("{}/{}", directory, keyspace::kEnvironmentFile)))
    return fail(ErrorCode::kNotFound, "there is no buffer in {}", directory);
  LoadedConfig drained = loaded;
  EH_ASSIGN(drained.config.agent.id, agent_id(loaded.config.agent, true));  // object names have it
  drained.config.agent.data_dir = directory;
  drained.config.agent.status_socket = directory + "/status.sock";
  drained.config.sources.clear();
  RunOptions once = options;
  once.once = true;
  once.drains = true;
  once.load_again = {};  // its config is the agent's
  once.handed = {};
  EH_ASSIGN(const int code, run_agent(drained, once));
  if (code != 0) return code;
  EH_ASSIGN(const StoreOptions store, store_options(drained.config));
  const std::unique_ptr<Clock> clock = make_system_clock();
  EH_ASSIGN(const bool empty, is_drained(store, *clock));
  if (empty) EH_TRY(remove_drained(loaded.config.agent.data_dir, directory));
  if (!empty)
    log::warn("{}: what its sinks could take is delivered; the rest waits there for a person",
              directory);
  return code;
}

void DrainProcess::start(const LoadedConfig& loaded, const RunOptions& options) {
  const std::vector<SetAside> buffers = set_aside_buffers(loaded.config.agent.data_dir);
  if (buffers.empty()) return;
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) be_the_drain(loaded, options, buffers, parent);
  if (process_ < 0)
    log::warn("what is set aside in {} is not delivered: starting a process: {}",
              loaded.config.agent.data_dir, std::strerror(errno));
}

void DrainProcess::reap() {
  if (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) != 0) process_ = -1;
}

void DrainProcess::ask_to_stop() {
  reap();
  if (process_ > 0) ::kill(process_, SIGTERM);
}

void DrainProcess::stop(Clock& clock, Duration limit) {
  ask_to_stop();
  if (process_ < 0) return;
  const Instant end = clock.now() + limit;
  for (reap(); process_ > 0 && clock.now() < end; reap()) clock.wait({}, clock.now() + kLook);
  if (process_ < 0) return;
  log::warn("what delivers set-aside buffers does not stop and is ended; nothing is lost");
  ::kill(process_, SIGKILL);
  const Instant killed = clock.now() + limit;  // it may hang in a dying device
  for (reap(); process_ > 0 && clock.now() < killed; reap()) clock.wait({}, clock.now() + kLook);
}

}  // namespace edgehose
