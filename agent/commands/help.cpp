#include "agent/commands/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/layout.h"
#include "agent/commands/table.h"

namespace edgehose {

constinit const std::string_view kPurpose =
    "Tails local logs into a durable buffer and delivers them, compressed and\n"
    "encrypted, exactly once where the destination allows it.\n";

constinit const std::string_view kAllExitCodes =
    "0  done; status: healthy\n"
    "1  it failed; status: degraded\n"
    "2  the command line or the config is wrong; status: down\n"
    "3  a time limit came first (run --once --timeout)\n";

namespace {

constexpr std::string_view kCommonCodes =
    "0  done\n"
    "1  it failed; the message says why\n"
    "2  the command line or the config is wrong\n";

std::string option_lines(const std::vector<Option>& options) {
  constexpr std::size_t kIndent = 24;
  std::string out;
  for (const Option& option : options) {
    std::string left =
        fmt::format("  --{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument);
    if (left.size() + 2 > kIndent)
      left += "\n" + std::string(kIndent, ' ');
    else
      left.resize(kIndent, ' ');
    out += left + wrapped(option.help, kIndent);
  }
  return out;
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out += fmt::format("  {}", text.substr(0, end));
    out += "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string command_lines(std::string_view group) {
  std::string out;
  for (const Command& command : commands())
    if (group.empty() || command.name.starts_with(fmt::format("{} ", group)))
      out += fmt::format("  {:<21} {}\n", command.name, command.summary);
  return out;
}

int help(const Invocation& invocation) {
  if (invocation.words.empty()) {
    fmt::print("{}", overview_page());
    return kExitOk;
  }
  const std::string name = fmt::format("{}", fmt::join(invocation.words, " "));
  std::vector<std::string_view> names;
  for (const Command& command : commands()) {
    if (command.name == name) {
      fmt::print("{}", help_page(command));
      return kExitOk;
    }
    names.push_back(command.name);
  }
  const std::string group = group_page(name);
  if (!group.empty()) {
    fmt::print("{}", group);
    return kExitOk;
  }
  const auto near = nearest(name, names);
  return usage_error("", fmt::format("there is no command \"{}\"{}", name,
                                     near ? fmt::format("; did you mean \"{}\"?", *near) : ""));
}

}  // namespace

std::string_view exit_codes_of(const Command& command) {
  return command.exit_codes.empty() ? kCommonCodes : command.exit_codes;
}

std::string overview_page() {
  return fmt::format(
      "usage: edgehose [--config FILE] [--set KEY=VALUE]... COMMAND [OPTION]...\n\n"
      "{}\n"
      "Commands:\n{}\n"
      "Options of every command:\n{}\n"
      "Exit codes:\n{}\n"
      "A page for each: edgehose help COMMAND\n",
      kPurpose, command_lines(""), option_lines(global_options()), indented(kAllExitCodes));
}

std::string help_page(const Command& command) {
  std::string usage = fmt::format("usage: edgehose {}", command.name);
  if (!command.options.empty()) usage += " [OPTION]...";
  if (!command.arguments.empty()) usage += fmt::format(" {}", command.arguments);
  std::string page = fmt::format("{}\n\n{}\n", usage, command.description);
  if (!command.options.empty())
    page += fmt::format("\nOptions:\n{}", option_lines(command.options));
  page += fmt::format("\nOptions of every command:\n{}", option_lines(global_options()));
  if (!command.examples.empty()) page += fmt::format("\nExamples:\n{}", indented(command.examples));
  page += fmt::format("\nExit codes:\n{}", indented(exit_codes_of(command)));
  return page;
}

std::string group_page(std::string_view group) {
  const std::string lines = command_lines(group);
  if (lines.empty()) return "";
  return fmt::format(
      "usage: edgehose {} COMMAND\n\nCommands:\n{}\nA page for each: edgehose help {} COMMAND\n",
      group, lines, group);
}

Command help_command() {
  return {.name = "help",
          .arguments = "[COMMAND]",
          .summary = "shows a command's page",
          .description = "Shows what a command does, its options, examples and exit codes.",
          .options = {},
          .examples = "edgehose help run\nedgehose help buffer",
          .exit_codes = {},
          .max_words = 2,
          .run = help};
}

}  // namespace edgehose
