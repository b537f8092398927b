// What this device has to read, and a config that reads it.
#pragma once

#include <string>
#include <vector>

namespace edgehose {

struct FoundLogs {
  std::vector<std::string> system;       // "/var/log/syslog", "/var/log/auth.log", ...
  std::vector<std::string> directories;  // of /var/log, that hold *.log: one application each
  bool journal = false;                  // the journal keeps or takes logs here
};

// Looks below `root` ("" in life, a directory in tests), at most kMaxFound of each kind, sorted.
FoundLogs look_for_logs(const std::string& root);
constexpr std::size_t kMaxFound = 32;

// TOML with comments. Pure.
std::string proposed_config(const FoundLogs& found);

}  // namespace edgehose
