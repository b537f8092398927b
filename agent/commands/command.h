// Command: one subcommand of edgehose. Parsing, help pages and "did you mean" are made from the
// table (table.h), so that no option can be without its help.
//
// Exit codes are the same everywhere; a command's page says what they mean for it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,      // it could not be done, or not all of it is well
  kExitUsage = 2,       // the command line or the config is wrong: nothing was done
  kExitUnfinished = 3,  // a time limit came first: nothing is lost, run it again
};

struct Option {
  std::string_view name;      // "--name"
  std::string_view argument;  // what follows, in capitals; empty: nothing
  std::string_view help;
  bool repeatable = false;
};

// What the user asked for, taken apart.
struct Invocation {
  std::vector<std::string> words;  // arguments that are no options
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // given ones, by name

  bool has(std::string_view option) const { return options.contains(option); }
  std::optional<std::string> value(std::string_view option) const {
    const auto it = options.find(option);
    if (it == options.end() || it->second.empty()) return std::nullopt;
    return it->second.back();
  }
  std::vector<std::string> values(std::string_view option) const {
    const auto it = options.find(option);
    return it == options.end() ? std::vector<std::string>{} : it->second;
  }
};

constexpr std::size_t kAnyWords = SIZE_MAX;

struct Command {
  std::string_view name;         // "run", "buffer verify"
  std::string_view arguments;    // of the usage line, after the options: "FILE..."
  std::string_view summary;      // one line, lower case, no full stop
  std::string_view description;  // paragraphs, lines of at most 79 columns
  std::vector<Option> options;
  std::string_view examples;    // lines, each "command   # what for"
  std::string_view exit_codes;  // what the codes mean here, one a line; empty: the common ones
  std::size_t min_words = 0, max_words = 0;
  int (*run)(const Invocation&) = nullptr;
};

// "edgehose: MESSAGE" on standard error, after what was printed before: the two may be one pipe.
void complain(std::string_view message);
// The same for an error; the code to exit with.
int failed(const Error& error);
// For a wrong command line: names the page that helps.
int usage_error(std::string_view command, std::string_view message);

}  // namespace edgehose
