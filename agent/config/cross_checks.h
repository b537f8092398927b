// What the tables of a config say of each other, and the secrets that they refer to.
//
// Threading: pure, but for try_secrets(), which reads them.
#pragma once

#include <vector>

#include "agent/config/load.h"
#include "agent/config/reader.h"
#include "agent/config/value.h"

namespace edgehose::config {

// Inputs name sources; also those that failed to load count: their own errors are told.
void check_inputs(const Table& merged, const std::vector<Reader::SharedList>& lists,
                  Diagnostics& problems);

// A warning: a file belongs to the first source that names it; a second one waits in vain.
void check_repeated_paths(const std::vector<Reader::SharedList>& lists, Diagnostics& problems);

// One that cannot be read is an error; a warning where `service` says that the service has it, or
// where others can read it.
void try_secrets(const std::vector<Reader::SecretUse>& uses, const ServiceGrants& service,
                 Diagnostics& problems);

}  // namespace edgehose::config
