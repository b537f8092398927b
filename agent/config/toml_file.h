// TOML into values (value.h). The one file that sees toml++.
#pragma once

#include <optional>
#include <string>

#include "agent/config/value.h"

namespace edgehose::config {

// The file's top table; none where it was not read or is not TOML, which is then reported.
std::optional<Table> read_toml_file(const std::string& path, Diagnostics& problems);

// "sinks.archive.path=/mnt/logs": the tables around it and the value, which may be TOML
// (a number, a list, a quoted string) or else is taken as a string.
std::optional<Table> read_set(const std::string& assignment, Diagnostics& problems);

}  // namespace edgehose::config
