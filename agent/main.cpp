// edgehose: see agent/commands/command_line.h.
#include "agent/commands/command_line.h"

int main(int count, char** arguments) {
  return edgehose::run_command_line({arguments + 1, arguments + count});
}
