// Offered: what a shell's completion offers, taken from the declarations; what is the same for
// every shell. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/commands/command.h"
#include "agent/config/schema.h"
#include "agent/pages/pages.h"

namespace edgehose {

struct Offered {
  std::vector<Command> commands;
  std::vector<Option> global_options;
  std::vector<std::string> levels;       // of the log
  std::vector<std::string> keys;         // "agent.data_dir"
  std::vector<std::string> source_keys;  // "paths": of sources of any type, after sources.NAME
  std::vector<std::string> sink_keys;
};
Offered offered_by(const std::vector<Command>& commands, const std::vector<Option>& global_options,
                   const ConfigSchema& schema);

Page bash_completion(const Offered& offered);
Page zsh_completion(const Offered& offered);
Page fish_completion(const Offered& offered);

// What stands where a value or word is wanted.
enum class Wanted { kAnything, kFile, kLevel, kSetting, kSource, kSink, kFormat, kCommand };
Wanted wanted_by(const Option& option);
Wanted wanted_by(const Command& command);  // its words
constexpr std::string_view kFormats = "lines ndjson";

// "buffer" and "verify" of "buffer verify"; the second is empty where there is none.
std::string_view first_word(const Command& command);
std::string_view second_word(const Command& command);
// The first words of all commands, each once, in order.
std::vector<std::string_view> first_words(const std::vector<Command>& commands);
// Where the first word alone is no command.
bool is_group(const std::vector<Command>& commands, std::string_view first);

}  // namespace edgehose
