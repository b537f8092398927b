// Loading: files, --set, ${VAR}, fields, cross checks. Tells everything that is wrong in one run.
//
// Order, later wins: the main file, conf.d/*.toml beside it by name, --set in the order given.
// Tables merge; scalars and lists replace. ${VAR} is expanded in what remains.
#pragma once

#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/config/schema.h"
#include "agent/config/value.h"

namespace edgehose {

// What the service manager gives the service alone: a command beside it has none of it.
struct ServiceGrants {
  std::map<std::string, std::string> variables;  // by name
  std::vector<std::string> credentials;          // names
};

// A file of a config, as it was read.
struct ConfigText {
  std::string path, text;
  bool operator==(const ConfigText&) const = default;
};

struct LoadOptions {
  std::string path = "/etc/edgehose/edgehose.toml";
  std::vector<std::string> sets;  // "sinks.archive.path=/mnt/logs"
  // Also read every secret once, so that a missing one is an error now. Nothing is kept.
  bool try_secrets = true;
  // Stands in for what this process lacks, with a warning: a variable has this value, a secret that
  // is among it is not tried.
  ServiceGrants service{};
  // Else a value whose ${VAR} is not set here stays at its default, with a warning; but for
  // agent.data_dir, by which everything else is found.
  bool need_variables = true;
  // What was read before, as LoadedConfig::texts: no file is read. Empty: the files are.
  std::vector<ConfigText> texts{};
};

// One line of the effective config. Secrets show where they are kept, never what they are.
struct Setting {
  std::string path;   // "sinks.archive.batch.max_age"
  std::string value;  // TOML; empty: unset
  std::string unset;  // what unset means, in words
  config::Origin origin;
};

struct LoadedConfig {
  Config config;
  std::vector<Setting> settings;  // every field, also those left at their default
  std::vector<config::Problem> warnings;
  std::vector<std::string> files;  // read, in order
  std::vector<ConfigText> texts;   // what they held
  bool whole = true;               // false: a variable is missing, see need_variables
};

struct ConfigErrors {
  std::vector<config::Problem> errors;    // never empty, sorted by place
  std::vector<config::Problem> warnings;  // seen in the same run
};

tl::expected<LoadedConfig, ConfigErrors> load_config(const LoadOptions& options,
                                                     const ConfigSchema& schema);

}  // namespace edgehose
