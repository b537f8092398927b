// ${VAR} and ${VAR:-default} in every string; "$$" is a "$"; a "$" before anything else is itself.
// VAR is a letter or '_', then letters, digits and '_'. The default is literal, up to the next '}';
// it is taken when VAR is not set or empty, as in a shell. Expanded text is not expanded again.
#pragma once

#include <map>
#include <string>

#include "agent/config/value.h"

namespace edgehose::config {

struct Variables {
  // Taken, with a warning, where this process's own environment lacks one.
  std::map<std::string, std::string> service;
  bool needed = true;  // false: one that is missing is a warning
};

// Expands in place, from this process's environment. A value that cannot be is reported and broken.
void expand_variables(Table& table, const Variables& variables, Diagnostics& problems);

// Whether it, or anything within it, was reported so.
bool any_broken(const Value& value);

}  // namespace edgehose::config
