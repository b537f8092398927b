// The command line: finds the command, parses its options, runs it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/commands/command.h"

namespace edgehose {

struct ParsedLine {
  const Command* command = nullptr;  // null: help without a command
  bool help = false;                 // show its page rather than run it
  Invocation invocation;
};

// Wrong lines are told with the nearest name, whole sentences, without "edgehose:".
struct LineError {
  std::string command;  // whose help page helps; empty: the overview
  std::string message;
};
tl::expected<ParsedLine, LineError> parse_command_line(const std::vector<std::string>& arguments);

// All of `main`: parses, runs, returns the exit code.
int run_command_line(const std::vector<std::string>& arguments);

}  // namespace edgehose
