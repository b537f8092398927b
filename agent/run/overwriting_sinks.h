// Sinks that would write over each other's objects: a name's extension tells how its object was
// made, but for whom it is encrypted to.
//
// Threading: pure.
#pragma once

#include <vector>

#include "agent/config/agent_config.h"
#include "agent/config/value.h"

namespace edgehose {

// An error at each sink that gives the records of one source the names that an earlier sink gives
// them, at the same place and for other recipients. For the same ones the objects are the same,
// whoever writes them.
std::vector<config::Problem> overwriting_sinks(const Config& config);

}  // namespace edgehose
