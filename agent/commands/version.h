// The version, as CMake's project() states it.
#pragma once

#include <string_view>

namespace edgehose {

constexpr std::string_view kVersion = EDGEHOSE_VERSION;

}  // namespace edgehose
