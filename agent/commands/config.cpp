// edgehose config reference, edgehose config example.
#include <fmt/format.h>

#include "agent/commands/propose.h"
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
  if (invocation.has("all"))
    fmt::print("{}", example_config(make_schema()));
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
          "Looks at what this device logs and prints a commented config that reads it.\n"
          "Nothing is changed: redirect it into a file, edit it, then run edgehose check.",
      .options = {{"all", "", "Every option with its default, rather than what this device needs"}},
      .examples =
          "edgehose config example > edgehose.toml\n"
          "edgehose --config edgehose.toml check",
      .exit_codes = {},
      .run = example};
}

}  // namespace edgehose
