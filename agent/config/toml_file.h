// TOML into values (value.h). The one file that sees toml++.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/config/value.h"

namespace edgehose::config {

// What the file holds; none where it cannot be read, which is then reported.
std::optional<std::string> read_config_file(const std::string& path, Diagnostics& problems);

// Its top table; none where it is not TOML, which is then reported. `path`: for the messages.
std::optional<Table> parse_toml(const std::string& path, std::string_view text,
                                Diagnostics& problems);

// "sinks.archive.path=/mnt/logs": the tables around it and the value, which may be TOML
// (a number, a list, a quoted string) or else is taken as a string.
std::optional<Table> read_set(const std::string& assignment, Diagnostics& problems);

}  // namespace edgehose::config
