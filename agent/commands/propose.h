// What this device has to read, and a config that reads it.
#pragma once

#include <string>
#include <vector>

namespace edgehose {

// The files of one application: a source.
struct FoundLogs {
  std::string name;                   // "nginx"; not yet that of a source, nor unique
  std::vector<std::string> patterns;  // "/var/log/nginx/**/*.log"
};

struct FoundDevice {
  std::vector<std::string> system;  // "/var/log/syslog", "/var/log/auth.log", ...
  std::vector<FoundLogs> applications;
  std::vector<FoundLogs> containers;  // of Docker, of Kubernetes: root's alone
  std::vector<std::string> closed;    // directories that this user may not look into
  bool journal = false;               // the journal keeps or takes logs here
  bool syslog = false;                // a file takes what the system logs: not the journal alone
};

// Looks below `root` ("" in life, a directory in tests), at most kMaxFound of each kind, sorted:
// /var/log and its directories, the pods of Kubernetes, the log directories of what lies in /opt
// and /srv, Docker.
FoundDevice look_for_logs(const std::string& root);
constexpr std::size_t kMaxFound = 32;

// TOML with comments. Pure.
std::string proposed_config(const FoundDevice& found);

}  // namespace edgehose
