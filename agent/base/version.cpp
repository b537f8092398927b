#include "agent/base/version.h"

namespace edgehose {

constinit const std::string_view kVersion = EDGEHOSE_VERSION;

}  // namespace edgehose
