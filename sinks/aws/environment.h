// Environment: the variables that AWS's tools agree on. Looked up when they are needed; a blank one
// is as good as none, as in AWS's own clients.
//
// Threading: as getenv(3): nobody may set variables meanwhile.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>

namespace edgehose::aws {

class Environment {
 public:
  using Lookup = std::function<const char*(const char* name)>;  // null: not set

  explicit Environment(Lookup lookup = [](const char* name) -> const char* {
    return std::getenv(name);
  })
      : lookup_(std::move(lookup)) {}

  std::string get(const char* name) const;        // without blanks around it; empty: not set
  bool is_true(const char* name) const;           // "true" in any case
  std::string home_path(std::string path) const;  // "~/x" below $HOME; empty where that is unset

 private:
  Lookup lookup_;
};

std::string lower_case(std::string text);  // ASCII

}  // namespace edgehose::aws
