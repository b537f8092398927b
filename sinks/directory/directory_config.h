// Options of `type = "directory"` sinks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config/fields_fwd.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/sink.h"

namespace edgehose {

struct DirectoryConfig {
  SinkConfig common;
  std::string path;    // objects go below it; must exist, see README.md
  std::string prefix;  // with expressions: !{timestamp:yyyy/MM/dd/HH}, !{label:site} ...
  ObjectRendering::Format format = ObjectRendering::Format::kLines;
  ObjectRendering::Compression compression = ObjectRendering::Compression::kZstd;
  int compression_level = 1;
  std::vector<std::string> age_recipients;  // encrypt = { age = ["age1..."] }
};

config::Fields<DirectoryConfig> directory_fields();

}  // namespace edgehose
