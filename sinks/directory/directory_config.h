// Options of `type = "directory"` sinks.
#pragma once

#include <string>

#include "agent/config/fields_fwd.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/object/object_config.h"

namespace edgehose {

struct DirectoryConfig {
  SinkConfig common;
  std::string path;  // objects go below it; must exist, see README.md
  ObjectConfig object;
};

config::Fields<DirectoryConfig> directory_fields();

}  // namespace edgehose
