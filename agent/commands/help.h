// The help pages, made from the table. 80 columns.
#pragma once

#include <string>
#include <string_view>

#include "agent/commands/command.h"

namespace edgehose {

extern const std::string_view kPurpose;       // what edgehose is for, lines
extern const std::string_view kAllExitCodes;  // of all commands together, one a line
std::string_view exit_codes_of(const Command& command);

std::string overview_page();
std::string help_page(const Command& command);
// The commands of a group ("buffer"); empty where there is no such group.
std::string group_page(std::string_view group);

}  // namespace edgehose
