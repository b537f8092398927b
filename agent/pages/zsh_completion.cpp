#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/pages/completion.h"

namespace edgehose {
namespace {

// Within '...' of a specification "--option[help]:what:action".
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      out += fmt::format("\\{}", c);
    else
      out += c;
  }
  return out;
}

std::string action(Wanted wanted, const Completion& completion) {
  switch (wanted) {
    case Wanted::kFile: return "_files";
    case Wanted::kSource: return "_edgehose_names sources";
    case Wanted::kSink: return "_edgehose_names sinks";
    case Wanted::kLevel: return fmt::format("({})", fmt::join(completion.levels, " "));
    case Wanted::kFormat: return fmt::format("({})", kFormats);
    case Wanted::kSetting: return "_edgehose_settings";
    case Wanted::kCommand:
      return fmt::format("({})", fmt::join(first_words(completion.commands), " "));
    case Wanted::kAnything: break;
  }
  return " ";
}

std::string specification(const Option& option, const Completion& completion) {
  std::string out = fmt::format("'{}--{}", option.repeatable ? "*" : "", option.name);
  if (!option.argument.empty()) out += '=';
  out += fmt::format("[{}]", quoted(option.help));
  if (!option.argument.empty())
    out += fmt::format(":{}:{}", quoted(option.argument), action(wanted_by(option), completion));
  return out + "'";
}

std::string described(std::string_view word, std::string_view help) {
  return fmt::format(" '{}:{}'", word, quoted(help));
}

std::string first_descriptions(const Completion& completion) {
  std::string out;
  for (const std::string_view first : first_words(completion.commands)) {
    std::string_view help = "several commands";
    for (const Command& command : completion.commands)
      if (command.name == first) help = command.summary;
    out += described(first, help);
  }
  return out;
}

std::string group_case(const Completion& completion, std::string_view group) {
  std::string out = fmt::format("    {}) commands=(", group);
  for (const Command& command : completion.commands)
    if (first_word(command) == group) out += described(second_word(command), command.summary);
  return out + ") ;;\n";
}

std::string command_case(const Command& command, const Completion& completion) {
  std::string out = fmt::format("    '{}') options=(", command.name);
  for (const Option& option : command.options) out += ' ' + specification(option, completion);
  if (command.max_words > 0)
    out += fmt::format(" '*:{}:{}'", quoted(command.arguments),
                       action(wanted_by(command), completion));
  return out + ") ;;\n";
}

// The words that end a command are shifted away, so that _arguments sees its options alone.
constexpr std::string_view kFunctions = R"(
_edgehose_names() {
  local config=/etc/edgehose/edgehose.toml
  [[ -n ${opt_args[--config]} ]] && config=${opt_args[--config]}
  local -a names
  names=(${(uf)"$(sed -n "s/^[[:space:]]*\[$1\.\([a-z0-9_-]*\).*/\1/p" $config(N) ${config:h}/conf.d/*.toml(N) 2>/dev/null)"})
  compadd -- $names
}

_edgehose_settings() {
  compadd -S '=' -- $_edgehose_keys
  compadd -S '' -- sources. sinks.
}

_edgehose() {
  local -a commands options global
  local context state line first second
  typeset -A opt_args
)";

}  // namespace

Page zsh_completion(const Completion& completion) {
  std::string out = "#compdef edgehose\n# Zsh completion of edgehose, made from the declarations of "
                    "its options.\n\n";
  out += fmt::format("typeset -ga _edgehose_keys=({})\n", fmt::join(completion.keys, " "));
  out += kFunctions;
  out += "  global=(";
  for (const Option& option : completion.global_options)
    out += ' ' + specification(option, completion);
  out += fmt::format(")\n  commands=({})\n", first_descriptions(completion));
  out += "  _arguments -C $global '1: :->first' '*:: :->rest' && return\n"
         "  if [[ $state == first ]]; then _describe command commands; return; fi\n"
         "  first=$words[1] commands=()\n  case $first in\n";
  for (const std::string_view first : first_words(completion.commands))
    if (is_group(completion.commands, first)) out += group_case(completion, first);
  out += "  esac\n"
         "  if (( $#commands )); then\n"
         "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
         "    first+=\" $words[2]\"; shift words; (( CURRENT-- ))\n"
         "  fi\n"
         "  case $first in\n";
  for (const Command& command : completion.commands) out += command_case(command, completion);
  out += "  esac\n  _arguments $global $options\n}\n\n_edgehose \"$@\"\n";
  return {"zsh/vendor-completions/_edgehose", out};
}

}  // namespace edgehose
