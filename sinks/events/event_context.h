// What the agent, the machine and the config say of every event.
#pragma once

#include <map>
#include <string>

namespace edgehose {

struct EventContext {
  std::string agent;                          // its id
  std::string host;                           // this machine's name; empty: none is said
  std::map<std::string, std::string> labels;  // the agent's
  std::map<std::string, std::string> fields;  // the config's: a sink adds its own
};

}  // namespace edgehose
