// The options of a gateway's lines as one line of text, and back: what gateway_log leaves behind
// for check_lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/commands/gateway_line.h"

namespace gateway = edgehose::gateway;

std::string to_text(const gateway::LineOptions& options);
// None where the text is none of to_text()'s.
std::optional<gateway::LineOptions> from_text(std::string_view text);
