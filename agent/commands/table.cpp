#include "agent/commands/table.h"

namespace edgehose {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      demo_command(),
      run_command(),
      check_command(),
      status_command(),
      reload_command(),
      decrypt_command(),
      buffer_verify_command(),
      buffer_list_command(),
      buffer_export_command(),
      buffer_forget_command(),
      buffer_confirm_command(),
      buffer_upgrade_command(),
      dead_letters_list_command(),
      dead_letters_show_command(),
      dead_letters_replay_command(),
      dead_letters_export_command(),
      dead_letters_purge_command(),
      config_reference_command(),
      config_example_command(),
      key_new_command(),
      version_command(),
      help_command(),
  };
  return table;
}

const std::vector<Option>& global_options() {
  static const std::vector<Option> options = {
      {"config", "FILE",
       "The config (default /etc/edgehose/edgehose.toml); conf.d/*.toml beside it are merged"},
      {"set", "KEY=VALUE",
       "Overrides one setting: --set sinks.archive.path=/mnt/logs. May be repeated", true},
      {"log-level", "LEVEL", "trace, debug, info, warn, error or off"},
      {"help", "", "Shows the help page"},
  };
  return options;
}

}  // namespace edgehose
