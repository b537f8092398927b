// The status as a person reads it: one screen, at most 80 columns, for a phone over ssh.
#pragma once

#include <string>

#include "agent/run/status_report.h"

namespace edgehose {

// Pure. `colour`: with ANSI colours.
std::string status_screen(const StatusReport& report, bool colour);

}  // namespace edgehose
