#include "agent/pages/completion.h"

#include <algorithm>
#include <any>
#include <set>

#include "agent/config/agent_config.h"

namespace edgehose {
namespace {

using config::Field;

// A table of strings ends in a dot: the user's own name follows.
void add_keys(const std::vector<Field>& fields, const std::string& prefix,
              std::set<std::string>& keys) {
  for (const Field& field : fields) {
    if (field.kind == Field::Kind::kTable || field.kind == Field::Kind::kInclude)
      add_keys(field.fields, field.kind == Field::Kind::kTable ? prefix + field.key + "." : prefix,
               keys);
    else if (field.is_key())
      keys.insert(prefix + field.key + (field.entries ? "." : ""));
  }
}

std::vector<std::string> keys_of(const std::vector<ComponentType>& types) {
  std::set<std::string> keys = {"type"};
  for (const ComponentType& type : types) add_keys(type.fields, "", keys);
  return {keys.begin(), keys.end()};
}

// The choices of a field's type: "\"a\", \"b\" or \"c\"".
std::vector<std::string> choices(const std::vector<Field>& fields, std::string_view key) {
  std::vector<std::string> out;
  for (const Field& field : fields)
    for (std::size_t at = 0; field.key == key;) {
      const std::size_t begin = field.type.find('"', at);
      if (begin == std::string::npos) break;
      const std::size_t end = field.type.find('"', begin + 1);
      out.push_back(field.type.substr(begin + 1, end - begin - 1));
      at = end + 1;
    }
  return out;
}

}  // namespace

Offered offered_by(const std::vector<Command>& commands, const std::vector<Option>& global_options,
                   const ConfigSchema& schema) {
  std::set<std::string> keys;
  add_keys(agent_fields().fields, "agent.", keys);
  add_keys(buffer_fields().fields, "buffer.", keys);
  return {.commands = commands,
          .global_options = global_options,
          .levels = choices(agent_fields().fields, "log_level"),
          .keys = {keys.begin(), keys.end()},
          .source_keys = keys_of(schema.sources()),
          .sink_keys = keys_of(schema.sinks())};
}

Wanted wanted_by(const Option& option) {
  if (option.argument == "FILE" || option.argument == "PATH" || option.argument == "DIRECTORY")
    return Wanted::kFile;
  if (option.argument == "LEVEL") return Wanted::kLevel;
  if (option.argument == "FORMAT") return Wanted::kFormat;
  if (option.argument == "KEY=VALUE") return Wanted::kSetting;
  if (option.name == "source") return Wanted::kSource;
  if (option.name == "sink") return Wanted::kSink;
  return Wanted::kAnything;
}

Wanted wanted_by(const Command& command) {
  if (command.arguments.find("FILE") != std::string_view::npos) return Wanted::kFile;
  if (command.arguments.find("SINK") != std::string_view::npos) return Wanted::kSink;
  if (command.arguments.find("COMMAND") != std::string_view::npos) return Wanted::kCommand;
  return Wanted::kAnything;
}

std::string_view first_word(const Command& command) {
  return command.name.substr(0, command.name.find(' '));
}

std::string_view second_word(const Command& command) {
  const std::size_t space = command.name.find(' ');
  return space == std::string_view::npos ? "" : command.name.substr(space + 1);
}

std::vector<std::string_view> first_words(const std::vector<Command>& commands) {
  std::vector<std::string_view> out;
  for (const Command& command : commands)
    if (std::find(out.begin(), out.end(), first_word(command)) == out.end())
      out.push_back(first_word(command));
  return out;
}

bool is_group(const std::vector<Command>& commands, std::string_view first) {
  return std::none_of(commands.begin(), commands.end(),
                      [&](const Command& command) { return command.name == first; });
}

}  // namespace edgehose
