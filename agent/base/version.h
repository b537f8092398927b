// The version, as CMake's project() states it: "0.1.0".
#pragma once

#include <string_view>

namespace edgehose {

extern const std::string_view kVersion;

}  // namespace edgehose
