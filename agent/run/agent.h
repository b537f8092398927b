// Agent: puts the parts together from a config, runs them until a signal or until all is delivered,
// and takes them down in under kStopTime whatever sinks and devices do.
//
// Threading: run_agent() is main's: it owns signals, the status socket, sd_notify and the watchdog.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/config/load.h"
#include "agent/run/reload.h"
#include "buffer/store.h"

namespace edgehose {

struct RunOptions {
  bool once = false;                // read what is there, deliver it, end
  std::optional<Duration> timeout;  // of `once`
  bool drains = false;              // a buffer that was set aside: see drain.h
  bool progress = true;             // show it (only with `once`)
  std::string version;
  std::string config_path;  // its main file, absolute: by it a command knows whose agent this is
  // For a reload: the config as its files are now. The error is its first one; the log has all.
  std::function<Result<LoadedConfig>()> load_again{};
  Handover handed{};  // by the process before this one, where a reload made this one
};

constexpr Duration kStopTime = std::chrono::seconds(4);
// What an opening that is asked to stop has left to end by itself; then it is broken off.
constexpr Duration kOpeningStopTime = std::chrono::seconds(2);

// From now on SIGHUP waits until an agent heeds it; else it would end a process that is about to
// start one. For the beginning, before threads.
void hold_hangups();

// Exit codes as in agent/commands/command.h: 0; of `once` 1 where something could not be read, was
// dropped or refused, 3 where `timeout` came first. Errors are those of the start; what fails later
// is told by log and status and tried again. A reload does not return: the process starts anew.
Result<int> run_agent(const LoadedConfig& config, const RunOptions& options);

// How the buffer is opened under this config: size limits resolved, keys read. Also for `check` and
// the `buffer` commands: those look with the keys that they can read, and find here why the others
// are left out.
Result<StoreOptions> store_options(const Config& config, std::vector<Error>* unread = nullptr);

// The profile that `storage = "auto"` comes to for this data_dir, and its commit limits.
struct CommitProfile {
  std::string name;       // "sd_card", "ssd"
  Duration commit_limit;  // of records that can be read again
  Duration ack_limit;
};
CommitProfile commit_profile(const Config& config);

}  // namespace edgehose
