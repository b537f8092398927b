// The table of subcommands. Adding one: a file with a function that returns its Command, a
// declaration and a line here.
#pragma once

#include <vector>

#include "agent/commands/command.h"

namespace edgehose {

// In the order in which help lists them.
const std::vector<Command>& commands();
// Taken by every command.
const std::vector<Option>& global_options();

Command demo_command();
Command run_command();
Command check_command();
Command status_command();
Command reload_command();
Command decrypt_command();
Command buffer_verify_command();
Command buffer_list_command();
Command buffer_export_command();
Command buffer_forget_command();
Command buffer_confirm_command();
Command buffer_upgrade_command();
Command dead_letters_list_command();
Command dead_letters_show_command();
Command dead_letters_replay_command();
Command dead_letters_export_command();
Command dead_letters_purge_command();
Command config_reference_command();
Command config_example_command();
Command key_new_command();
Command version_command();
Command help_command();

}  // namespace edgehose
