// A command's end of the control socket (control_server.h).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/run/change.h"

namespace edgehose {

// Connects, sends the line and reads the answer. kNotFound: nobody listens there; kPermission: this
// user may not, the message says who may; kUnavailable: no whole answer within `patience`.
Result<std::string> ask_agent(const std::string& path, const std::string& line, Duration patience);
Result<std::string> ask_status(const std::string& path,
                               Duration patience = std::chrono::seconds(5));

// Has the agent take on its config as the files are now. The error is why it does not; the report
// comes before the agent starts itself anew, which may still fail (StatusReport::reload).
Result<ChangeReport> ask_reload(const std::string& path,
                                Duration patience = std::chrono::seconds(35));

// Has the agent make a change; the error is the agent's own, or that of asking it. kNotFound is
// told as such only by ask_status(): find the agent first.
Result<ChangeReport> ask_change(const std::string& path, const ControlChange& change,
                                Duration patience = std::chrono::seconds(35));

}  // namespace edgehose
