#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/pages/completion.h"

namespace edgehose {
namespace {

// Within '...' of a specification "--option[help]:what:action".
std::string zsh_quoted(std::string_view text) {
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

std::string action(Wanted wanted, const Offered& offered) {
  switch (wanted) {
    case Wanted::kFile: return "_files";
    case Wanted::kSource: return "_edgehose_names sources";
    case Wanted::kSink: return "_edgehose_names sinks";
    case Wanted::kLevel: return fmt::format("({})", fmt::join(offered.levels, " "));
    case Wanted::kFormat: return fmt::format("({})", kFormats);
    case Wanted::kSetting: return "_edgehose_settings";
    case Wanted::kCommand:
      return fmt::format("({})", fmt::join(first_words(offered.commands), " "));
    case Wanted::kAnything: break;
  }
  return " ";
}

std::string specification(const Option& option, const Offered& offered) {
  std::string out = fmt::format("'{}--{}", option.repeatable ? "*" : "", option.name);
  if (!option.argument.empty()) out += '=';
  out += fmt::format("[{}]", zsh_quoted(option.help));
  if (!option.argument.empty())
    out += fmt::format(":{}:{}", zsh_quoted(option.argument), action(wanted_by(option), offered));
  return out + "'";
}

std::string described(std::string_view word, std::string_view help) {
  return fmt::format(" '{}:{}'", word, zsh_quoted(help));
}

std::string first_descriptions(const Offered& offered) {
  std::string out;
  for (const std::string_view first : first_words(offered.commands)) {
    std::string_view help = "several commands";
    for (const Command& command : offered.commands)
      if (command.name == first) help = command.summary;
    out += described(first, help);
  }
  return out;
}

std::string group_case(const Offered& offered, std::string_view group) {
  std::string out = fmt::format("    {}) commands=(", group);
  for (const Command& command : offered.commands)
    if (first_word(command) == group) out += described(second_word(command), command.summary);
  return out + ") ;;\n";
}

std::string command_case(const Command& command, const Offered& offered) {
  std::string out = fmt::format("    '{}') options=(", command.name);
  for (const Option& option : command.options) out += ' ' + specification(option, offered);
  if (command.max_words > 0)
    out += fmt::format(" '*:{}:{}'", zsh_quoted(command.arguments),
                       action(wanted_by(command), offered));
  return out + ") ;;\n";
}

// The words that end a command are shifted away, so that _arguments sees its options alone.
constexpr std::string_view kZshFunctions = R"sh(
_edgehose_names() {
  local config=${opt_args[--config]:-/etc/edgehose/edgehose.toml}
  local -a names
  names=(${(f)"$(sed -n "s/^[[:space:]]*\[$1\.\([a-z0-9_-]*\).*/\1/p" $config ${config:h}/conf.d/*.toml(N) 2>/dev/null)"})
  compadd -- $names
}

_edgehose_settings() {
  compadd -S = -- $_edgehose_keys
  compadd -S '' -- sources. sinks.
}

_edgehose() {
  local -a commands options global
  local context state line first
  typeset -A opt_args
)sh";

}  // namespace

Page zsh_completion(const Offered& offered) {
  std::string out =
      "#compdef edgehose\n# Zsh completion of edgehose, made from the declarations of "
      "its options.\n\n";
  out += fmt::format("typeset -ga _edgehose_keys=({})\n", fmt::join(offered.keys, " "));
  out += kZshFunctions;
  out += "  global=(";
  for (const Option& option : offered.global_options) out += ' ' + specification(option, offered);
  out += fmt::format(")\n  commands=({})\n", first_descriptions(offered));
  out +=
      "  _arguments -C $global '1: :->first' '*:: :->rest' && return\n"
      "  if [[ $state == first ]]; then _describe command commands; return; fi\n"
      "  first=$words[1] commands=()\n  case $first in\n";
  for (const std::string_view first : first_words(offered.commands))
    if (is_group(offered.commands, first)) out += group_case(offered, first);
  out +=
      "  esac\n"
      "  if (( $#commands )); then\n"
      "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
      "    first+=\" $words[2]\"; shift words; (( CURRENT-- ))\n"
      "  fi\n"
      "  case $first in\n";
  for (const Command& command : offered.commands) out += command_case(command, offered);
  out += "  esac\n  _arguments $global $options\n}\n\n_edgehose \"$@\"\n";
  return {"zsh/vendor-completions/_edgehose", out};
}

}  // namespace edgehose
