// ${VAR} and ${VAR:-default} in every string; "$$" is a "$"; a "$" before anything else is itself.
// VAR is a letter or '_', then letters, digits and '_'. The default is literal, up to the next '}';
// it is taken when VAR is not set or empty, as in a shell. Expanded text is not expanded again.
#pragma once

#include "agent/config/value.h"

namespace edgehose::config {

// Expands in place, from this process's environment. A value that cannot be is reported and broken.
void expand_variables(Table& table, Diagnostics& problems);

}  // namespace edgehose::config
