// The agent's id when none is configured: "edge-" and 16 hexadecimal digits of
// HMAC-SHA-256(key = the machine id, "edgehose agent id"), so that the machine id itself, which
// machine-id(5) calls confidential, is not shown. Kept in DATA_DIR/agent-id once derived: object
// keys hold it, so a machine id that changes later must not change it.
#pragma once

#include <string>

#include "agent/base/result.h"
#include "agent/config/agent_config.h"

namespace edgehose {

// The configured id, else the kept one, else a derived one, which with `keep` is written down.
Result<std::string> agent_id(const AgentConfig& agent, bool keep,
                             const std::string& machine_id_file = "/etc/machine-id");

// What is wrong with an id, or nothing: letters, digits, '.', '_' and '-', at most 128, and not
// starting with '.' (it becomes part of object keys and paths).
std::string wrong_agent_id(const std::string& id);

}  // namespace edgehose
