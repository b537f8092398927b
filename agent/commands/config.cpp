// edgehose config reference, edgehose config example.
#include <fmt/format.h>

#include "agent/commands/propose.h"
#include "agent/commands/rsyslog.h"
#include "agent/commands/table.h"
#include "agent/config/reference.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

int reference(const Invocation&) {
  fmt::print("{}", reference_page(make_schema()));
  return kExitOk;
}

int example(const Invocation& invocation) {
  const bool all = invocation.has("all"), rsyslog = invocation.has("rsyslog");
  const bool rotation = invocation.has("logrotate");
  if (all + rsyslog + rotation > 1)
    return usage_error("config example",
                       "--all, --rsyslog and --logrotate are files of their own: one at a time");
  if (all)
    fmt::print("{}", example_config(make_schema()));
  else if (rsyslog)
    fmt::print("{}", rsyslog_drop_in());
  else if (rotation)
    fmt::print("{}", rsyslog_rotation());
  else
    fmt::print("{}", proposed_config(look_for_logs("")));
  return kExitOk;
}

}  // namespace

Command config_reference_command() {
  return {.name = "config reference",
          .arguments = "",
          .summary = "every option of the config, as Markdown",
          .description =
              "Prints the reference of the config: every table and option, its type, range\n"
              "and default. It is made from the declarations that the agent itself reads by.",
          .options = {},
          .examples = "edgehose config reference | less",
          .exit_codes = {},
          .run = reference};
}

Command config_example_command() {
  return {
      .name = "config example",
      .arguments = "",
      .summary = "a config to start from, for what this device has to read",
      .description =
          "Looks at what this device logs and prints a commented config that reads it:\n"
          "/var/log and what lies below, log directories in /opt and /srv, pods. Root sees\n"
          "more than others. Nothing is changed: redirect it into a file, edit it, then run\n"
          "edgehose check.\n"
          "\n"
          "Where the system logs to the journal alone (Debian 12, Raspberry Pi OS), rsyslog\n"
          "writes it as a file beside. The drop-in and the rotation that go with it are\n"
          "printed by --rsyslog and --logrotate.",
      .options = {{"all", "", "Every option with its default, rather than what this device needs"},
                  {"rsyslog", "", "A drop-in for /etc/rsyslog.d: all that is logged, in one file"},
                  {"logrotate", "", "What rotates that file, for /etc/logrotate.d"}},
      .examples =
          "edgehose config example > edgehose.toml\n"
          "edgehose --config edgehose.toml check",
      .exit_codes = {},
      .run = example};
}

}  // namespace edgehose
