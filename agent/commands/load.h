// What most commands begin with: the config, and the buffer that it names.
#pragma once

#include <memory>
#include <optional>

#include "agent/base/clock.h"
#include "agent/commands/command.h"
#include "agent/config/load.h"
#include "buffer/store.h"

namespace edgehose {

// What a command needs of a config. Credentials and variables of the service's unit are the
// service's alone: who needs no secret asks for none.
enum class Needs {
  kAll,     // `run`: every value and secret, as this process has them
  kValues,  // every value, of variables also as the unit gives them
  kBuffer,  // where the buffer is: other values may be left at their default
};

// --config and --set, as load_config() takes them.
LoadOptions load_options(const Invocation& invocation, Needs needs);

// The main file's path, from the root: the same for whoever names it.
std::string absolute_config(const Invocation& invocation);

// Loads the config; where that fails, tells every error on standard error and returns none: the
// command then ends with kExitUsage. Applies log_level, unless --log-level is given.
// `texts`: what its files held, where a reload hands it over.
std::optional<LoadedConfig> load_or_complain(const Invocation& invocation, Needs needs,
                                             const std::vector<ConfigText>& texts = {});

// Says what to do where the operating system refused the buffer of `data_dir` to this user.
Error with_advice(Error error, const std::string& data_dir);

// The buffer of the invocation's config, for reading, beside a running daemon or without one. Where
// that fails the reason is told, and `code` is what to exit with.
struct OpenedBuffer {
  std::unique_ptr<Clock> clock;
  std::optional<LoadedConfig> config;
  std::unique_ptr<Store> store;  // null: see code
  int code = kExitOk;
  std::optional<Error> busy;  // for changing: another process has it; told by the caller
  std::vector<Error> unread;  // for reading: why keys of encryption_keys are left out

  // Whether what is encrypted can be read: an error where a key that is left out would be needed.
  Status opens_what_is_sealed() const;
};
OpenedBuffer open_for_reading(const Invocation& invocation, Needs needs = Needs::kBuffer);
// For changing it while no daemon runs: takes the lock (running_agent.h asks a daemon). Root
// becomes the owner of data_dir for good, so that the service can open what is written.
OpenedBuffer open_for_writing(const Invocation& invocation);

}  // namespace edgehose
