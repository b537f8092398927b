// What the tests of config share: a directory that goes away, environment variables that are put
// back, and the schema of the real sources and sinks.
#pragma once

#include <optional>
#include <string>

#include "agent/config/load.h"

namespace edgehose {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }
  // Writes a file below the directory; returns its path.
  std::string write(const std::string& name, const std::string& content,
                    unsigned mode = 0600) const;

 private:
  std::string path_;
};

class Environment {
 public:
  Environment(std::string name, const char* value);  // nullptr: not set
  ~Environment();

 private:
  std::string name_;
  std::optional<std::string> before_;
};

ConfigSchema test_schema();

// The errors as lines, with `directory`/ taken out.
std::string text_of(const std::vector<config::Problem>& errors, const std::string& directory);

}  // namespace edgehose
