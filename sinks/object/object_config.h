// Options that every sink shares which stores objects: their name, their form, who can open them.
#pragma once

#include <string>
#include <vector>

#include "agent/config/fields_fwd.h"
#include "sinks/sink.h"

namespace edgehose {

struct ObjectConfig {
  std::string prefix;  // with expressions: !{timestamp:yyyy/MM/dd/HH}, !{label:site} ...
  ObjectRendering::Format format = ObjectRendering::Format::kLines;
  ObjectRendering::Compression compression = ObjectRendering::Compression::kZstd;
  int compression_level = 1;
  std::vector<std::string> age_recipients;  // encrypt = { age = ["age1..."] }

  // Objects are the buffer's frames themselves, but for their encryption.
  bool passes_through() const {
    return format == ObjectRendering::Format::kLines && compression == Compression::kZstd;
  }
  ObjectRendering rendering(const std::string& agent) const {
    return {format, compression, compression_level, age_recipients, agent};
  }
};

config::Fields<ObjectConfig> object_fields();

}  // namespace edgehose
