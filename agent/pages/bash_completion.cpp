#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/pages/completion.h"

namespace edgehose {
namespace {

// The part that no declaration changes. It works with bash-completion and without it. Bash makes
// words of their own of "=": "--config=FILE" is three.
constexpr std::string_view kFunctions = R"sh(
# The words of the command, without options and their values.
_edgehose_command() {
  local word='' skip='' i
  command=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == '=' ]]; then skip=yes
    elif [[ $skip ]]; then skip=''
    elif [[ $word == --* ]]; then
      [[ " $_edgehose_valued " == *" $word "* && ${COMP_WORDS[i + 1]} != '=' ]] && skip=yes
    else command+=("$word")
    fi
  done
}

# The names of tables in the config and what is merged with it: _edgehose_names sinks
_edgehose_names() {
  local config=/etc/edgehose/edgehose.toml here=. i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == --config ]] || continue
    config=${COMP_WORDS[i + 1]}
    [[ $config == '=' ]] && config=${COMP_WORDS[i + 2]}
  done
  [[ $config == */* ]] && here=${config%/*}
  sed -n "s/^[[:space:]]*\[$1\.\([a-z0-9_-]*\).*/\1/p" "$config" "$here"/conf.d/*.toml 2>/dev/null |
    sort -u
}

# Keys, those of sources and sinks with the names that the config has. A value follows, or the rest
# of the key.
_edgehose_settings() {
  local all=$_edgehose_keys name
  for name in $(_edgehose_names sources); do all+=${_edgehose_source_keys// / sources.$name.}; done
  for name in $(_edgehose_names sinks); do all+=${_edgehose_sink_keys// / sinks.$name.}; done
  COMPREPLY=($(compgen -W "$all" -- "$current"))
  compopt -o nospace 2>/dev/null
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} != *. ]] && COMPREPLY=("${COMPREPLY[0]}=")
}

_edgehose_offer() {
  case $1 in
    file)
      compopt -o filenames 2>/dev/null
      IFS=$'\n'
      COMPREPLY=($(compgen -f -- "$current"))
      ;;
    source) COMPREPLY=($(compgen -W "$(_edgehose_names sources)" -- "$current")) ;;
    sink) COMPREPLY=($(compgen -W "$(_edgehose_names sinks)" -- "$current")) ;;
    setting) _edgehose_settings ;;
    *) COMPREPLY=($(compgen -W "$1" -- "$current")) ;;
  esac
}

_edgehose() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=()
  local IFS=$' \t\n'
  COMPREPLY=()
  if [[ $current == '=' ]]; then current=''
  elif [[ $before == '=' ]]; then before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  _edgehose_command
  if [[ " $_edgehose_valued " == *" $before "* ]]; then
    _edgehose_offer "$(_edgehose_value "$before" "${command[*]}")"
  elif [[ $current == -* ]]; then
    _edgehose_offer "$(_edgehose_options "${command[*]}")"
  else
    _edgehose_offer "$(_edgehose_words "${command[*]}")"
  fi
}
complete -F _edgehose edgehose
)sh";

std::string words_wanted(Wanted wanted, const Offered& offered) {
  switch (wanted) {
    case Wanted::kFile: return "file";
    case Wanted::kSource: return "source";
    case Wanted::kSink: return "sink";
    case Wanted::kSetting: return "setting";
    case Wanted::kLevel: return fmt::format("{}", fmt::join(offered.levels, " "));
    case Wanted::kFormat: return std::string(kFormats);
    case Wanted::kCommand: return fmt::format("{}", fmt::join(first_words(offered.commands), " "));
    case Wanted::kAnything: break;
  }
  return "";
}

std::string dashed(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) out += fmt::format(" --{}", option.name);
  return out;
}

// Options that a value follows, of all commands: an option of one name takes one everywhere or
// nowhere.
std::string valued(const Offered& offered) {
  std::string out;
  const auto add = [&](const std::vector<Option>& options) {
    for (const Option& option : options)
      if (!option.argument.empty()) out += fmt::format(" --{}", option.name);
  };
  add(offered.global_options);
  for (const Command& command : offered.commands) add(command.options);
  return out;
}

std::string options_function(const Offered& offered) {
  std::string out =
      "\n# The options of a command: _edgehose_options \"buffer verify\"\n"
      "_edgehose_options() {\n  case $1 in\n";
  for (const Command& command : offered.commands)
    if (!command.options.empty())
      out += fmt::format("    '{0}' | '{0} '*) echo '{1}' ;;\n", command.name,
                         dashed(command.options).substr(1));
  return out + fmt::format("  esac\n  echo '{}'\n}}\n", dashed(offered.global_options).substr(1));
}

std::string value_function(const Offered& offered) {
  std::string out =
      "\n# What follows an option: _edgehose_value --file \"buffer verify\"\n"
      "_edgehose_value() {\n  case \"$2 $1\" in\n";
  for (const Command& command : offered.commands)
    for (const Option& option : command.options)
      if (const std::string wanted = words_wanted(wanted_by(option), offered); !wanted.empty())
        out += fmt::format("    '{}'*' --{}') echo '{}' ;;\n", command.name, option.name, wanted);
  for (const Option& option : offered.global_options)
    if (const std::string wanted = words_wanted(wanted_by(option), offered); !wanted.empty())
      out += fmt::format("    *' --{}') echo '{}' ;;\n", option.name, wanted);
  return out + "  esac\n}\n";
}

std::string second_words(const std::vector<Command>& commands, std::string_view group) {
  std::string out;
  for (const Command& command : commands)
    if (first_word(command) == group) out += fmt::format(" {}", second_word(command));
  return out.substr(1);
}

std::string words_function(const Offered& offered) {
  std::string out = fmt::format(
      "\n# What may stand after the words that are there: _edgehose_words \"buffer\"\n"
      "_edgehose_words() {{\n  case $1 in\n    '') echo '{}' ;;\n",
      fmt::join(first_words(offered.commands), " "));
  for (const std::string_view first : first_words(offered.commands))
    if (is_group(offered.commands, first))
      out += fmt::format("    '{0}' | 'help {0}') echo '{1}' ;;\n", first,
                         second_words(offered.commands, first));
  for (const Command& command : offered.commands)
    if (const std::string wanted = words_wanted(wanted_by(command), offered); !wanted.empty())
      out += fmt::format(
          "    '{}'{}) echo '{}' ;;\n", command.name,
          command.max_words == 1 || wanted_by(command) == Wanted::kCommand ? "" : "*", wanted);
  return out + "  esac\n}\n";
}

}  // namespace

Page bash_completion(const Offered& offered) {
  std::string out = "# Bash completion of edgehose, made from the declarations of its options.\n";
  out += fmt::format("\n_edgehose_valued='{}'\n", valued(offered));
  out += fmt::format("_edgehose_keys=' {}'\n", fmt::join(offered.keys, " "));
  out += fmt::format("_edgehose_source_keys=' {}'\n", fmt::join(offered.source_keys, " "));
  out += fmt::format("_edgehose_sink_keys=' {}'\n", fmt::join(offered.sink_keys, " "));
  out += options_function(offered) + value_function(offered) + words_function(offered);
  out += kFunctions;
  return {"bash-completion/completions/edgehose", out};
}

}  // namespace edgehose
