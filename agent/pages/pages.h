// What is installed beside the program and says what its declarations say: man pages and shell
// completions, made from the table of commands and the declared config fields. Pure; the same
// declarations give the same bytes.
#pragma once

#include <string>
#include <vector>

#include "agent/commands/command.h"
#include "agent/config/schema.h"

namespace edgehose {

struct Page {
  std::string path;  // below share/: "man/man1/edgehose-run.1"
  std::string text;
};

// edgehose(1), and one for each command: edgehose-buffer-verify(1).
std::vector<Page> command_pages(const std::vector<Command>& commands,
                                const std::vector<Option>& global_options);
// edgehose.toml(5).
Page config_page(const ConfigSchema& schema);

// All of them, for this program.
std::vector<Page> pages();

}  // namespace edgehose
