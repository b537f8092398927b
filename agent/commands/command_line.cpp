#include "agent/commands/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <system_error>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/commands/help.h"
#include "agent/commands/layout.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

namespace po = boost::program_options;

constexpr char kWords[] = "words";

tl::unexpected<LineError> wrong(std::string_view command, std::string message) {
  return tl::unexpected(LineError{std::string(command), std::move(message)});
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates,
                         std::string_view dashes = "") {
  const auto near = nearest(word, candidates);
  return near ? fmt::format("; did you mean \"{}{}\"?", dashes, *near) : "";
}

const Command* find_command(std::string_view name) {
  const auto it = std::find_if(commands().begin(), commands().end(),
                               [&](const Command& c) { return c.name == name; });
  return it == commands().end() ? nullptr : &*it;
}

std::string_view first_word(std::string_view name) { return name.substr(0, name.find(' ')); }
std::string_view second_word(std::string_view name) {
  const std::size_t space = name.find(' ');
  return space == std::string_view::npos ? "" : name.substr(space + 1);
}

// --- which command -------------------------------------------------------------------------------

// The global option that this argument is, if it takes a value from the next one.
bool takes_next(std::string_view argument) {
  if (!argument.starts_with("--")) return false;
  return std::any_of(global_options().begin(), global_options().end(), [&](const Option& o) {
    return argument.substr(2) == o.name && !o.argument.empty();
  });
}

struct Split {
  std::vector<std::string> name;  // the first one or two words
  std::vector<std::string> rest;  // everything else, in order
};

// Global options may stand before the command, so words that are values of them are not commands.
Split split(const std::vector<std::string>& arguments) {
  Split split;
  std::size_t i = 0;
  for (; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.empty() && argument[0] != '-') break;
    split.rest.push_back(argument);
    if (takes_next(argument) && i + 1 < arguments.size()) split.rest.push_back(arguments[++i]);
  }
  const auto is_group = [&](const std::string& word) {
    return std::any_of(commands().begin(), commands().end(), [&](const Command& c) {
      return first_word(c.name) == word && !second_word(c.name).empty();
    });
  };
  if (i < arguments.size()) split.name.push_back(arguments[i++]);
  if (!split.name.empty() && is_group(split.name[0]) && i < arguments.size() &&
      arguments[i][0] != '-')
    split.name.push_back(arguments[i++]);
  split.rest.insert(split.rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.end());
  return split;
}

LineError unknown_command(const std::vector<std::string>& name) {
  std::set<std::string_view> seen;
  for (const Command& command : commands()) seen.insert(first_word(command.name));
  if (!seen.contains(name[0]))
    return {"", fmt::format("there is no command \"{}\"{}", name[0],
                            did_you_mean(name[0], {seen.begin(), seen.end()}))};
  std::vector<std::string_view> seconds;
  for (const Command& command : commands())
    if (first_word(command.name) == name[0]) seconds.push_back(second_word(command.name));
  if (name.size() == 1)
    return {name[0], fmt::format("\"{}\" needs one of: {}", name[0], fmt::join(seconds, ", "))};
  return {name[0], fmt::format("there is no command \"{} {}\"{}", name[0], name[1],
                               did_you_mean(name[1], seconds))};
}

// --- its options ---------------------------------------------------------------------------------

void declare(po::options_description& description, const std::vector<Option>& options) {
  for (const Option& option : options) {
    const std::string name(option.name);
    if (option.argument.empty())
      description.add_options()(name.c_str(), "");
    else
      description.add_options()(name.c_str(), po::value<std::vector<std::string>>()->composing(),
                                "");
  }
}

LineError unknown_option(const Command& command, std::string given) {
  given.resize(std::min(given.find('='), given.size()));
  std::vector<std::string_view> names;
  for (const auto* options : {&command.options, &global_options()})
    for (const Option& option : *options) names.push_back(option.name);
  const std::string_view bare =
      std::string_view(given).substr(std::min(given.find_first_not_of('-'), given.size()));
  return {std::string(command.name), fmt::format("\"edgehose {}\" has no option {}{}", command.name,
                                                 given, did_you_mean(bare, names, "--"))};
}

tl::expected<po::variables_map, LineError> parse_options(
    const Command& command, const std::vector<std::string>& arguments) {
  try {
    po::options_description description;
    declare(description, command.options);
    declare(description, global_options());
    description.add_options()(kWords, po::value<std::vector<std::string>>(), "");
    po::positional_options_description positional;
    positional.add(kWords, -1);
    po::variables_map values;
    constexpr int kStyle =
        po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments)
                  .options(description)
                  .positional(positional)
                  .style(kStyle)
                  .run(),
              values);
    return values;
  } catch (const po::unknown_option& e) {
    return tl::unexpected(unknown_option(command, e.get_option_name()));
  } catch (const std::exception& e) {
    return wrong(command.name, e.what());
  }
}

Invocation take_apart(const po::variables_map& values) {
  Invocation invocation;
  for (const auto& [name, value] : values) {
    const auto* list = boost::any_cast<std::vector<std::string>>(&value.value());
    if (name == kWords)
      invocation.words = *list;
    else
      invocation.options[name] = list != nullptr ? *list : std::vector<std::string>{};
  }
  return invocation;
}

std::string wrong_invocation(const Command& command, const Invocation& invocation) {
  for (const auto* options : {&command.options, &global_options()})
    for (const Option& option : *options)
      if (!option.repeatable && invocation.values(option.name).size() > 1)
        return fmt::format("--{} is given more than once", option.name);
  if (invocation.words.size() > command.max_words)
    return fmt::format("\"{}\" is one word too many", invocation.words[command.max_words]);
  if (invocation.words.size() < command.min_words)
    return fmt::format("\"edgehose {}\" needs {}", command.name, command.arguments);
  return "";
}

}  // namespace

tl::expected<ParsedLine, LineError> parse_command_line(const std::vector<std::string>& arguments) {
  ParsedLine line;
  Split parts = split(arguments);
  for (std::string& argument : parts.rest)
    if (argument == "-h") argument = "--help";
  const bool help = std::find(parts.rest.begin(), parts.rest.end(), "--help") != parts.rest.end();
  if (parts.name.empty()) {
    if (std::find(parts.rest.begin(), parts.rest.end(), "--version") != parts.rest.end()) {
      line.command = find_command("version");
      return line;
    }
    line.help = true;
    if (help) return line;
    if (parts.rest.empty()) return wrong("", "which command?");
    return wrong("", parts.rest.back().starts_with('-')
                         ? fmt::format("there is no command beside {}", parts.rest.back())
                         : fmt::format("there is no command after {}", parts.rest.back()));
  }
  line.command = find_command(fmt::format("{}", fmt::join(parts.name, " ")));
  if (line.command == nullptr && help) {
    line.command = find_command("help");
    line.invocation.words = parts.name;
    return line;
  }
  if (line.command == nullptr) return tl::unexpected(unknown_command(parts.name));
  line.help = help;
  if (help) return line;

  auto values = parse_options(*line.command, parts.rest);
  if (!values) return tl::unexpected(std::move(values.error()));
  line.invocation = take_apart(*values);
  std::string problem = wrong_invocation(*line.command, line.invocation);
  if (!problem.empty()) return wrong(line.command->name, std::move(problem));
  return line;
}

namespace {

int run_parsed(const std::vector<std::string>& arguments) {
  const auto line = parse_command_line(arguments);
  if (!line) return usage_error(line.error().command, line.error().message);
  if (line->help) {
    fmt::print("{}", line->command == nullptr ? overview_page() : help_page(*line->command));
    return kExitOk;
  }
  if (const auto level = line->invocation.value("log-level")) {
    const auto parsed = log::parse_level(*level);
    if (!parsed)
      return usage_error(
          "",
          fmt::format("--log-level {} is not one of trace, debug, info, warn, error, off", *level));
    log::set_level(*parsed);
  }
  return line->command->run(line->invocation);
}

// The first failure of a flush of standard output: the stream itself forgets what it could not
// write.
int output_error = 0;

void flush_output() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
}

}  // namespace

// What a command printed and nobody could get (a full disk) is a failure, or a script goes on with
// half of it. A reader that left early (`| head`) is none.
int run_command_line(const std::vector<std::string>& arguments) {
  int code = kExitFailed;
  int error = 0;
  try {
    code = run_parsed(arguments);
  } catch (const std::system_error& thrown) {  // fmt::print throws it
    error = thrown.code().value();
  }
  flush_output();
  if (error == 0) error = output_error;
  if (error == 0 || error == EPIPE || error == EBADF) return code;
  complain(fmt::format("writing standard output: {}", std::strerror(error)));
  return code == kExitOk ? kExitFailed : code;
}

void complain(std::string_view message) {
  flush_output();
  const std::string text = fmt::format("edgehose: {}", printable(message));
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  fmt::print(stderr, "{}", terminal ? wrapped(text, 4, LongWords::kKept) : text + "\n");
}

int failed(const Error& error) {
  complain(error.message);
  return kExitFailed;
}

int usage_error(std::string_view command, std::string_view message) {
  complain(message);
  fmt::print(stderr, "See: edgehose help{}{}\n", command.empty() ? "" : " ", command);
  return kExitUsage;
}

}  // namespace edgehose
