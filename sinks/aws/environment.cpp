#include "sinks/aws/environment.h"

#include "agent/base/text.h"

namespace edgehose::aws {

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string Environment::get(const char* name) const {
  const char* value = lookup_(name);
  return value == nullptr ? std::string() : std::string(trimmed(value));
}

bool Environment::is_true(const char* name) const { return lower_case(get(name)) == "true"; }

std::string Environment::home_path(std::string path) const {
  if (!path.starts_with("~/")) return path;
  const std::string home = get("HOME");
  return home.empty() ? std::string() : home + path.substr(1);
}

}  // namespace edgehose::aws
