#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/pages/completion.h"

namespace edgehose {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string values(Wanted wanted, const Offered& offered) {
  switch (wanted) {
    case Wanted::kFile: return " -rF";
    case Wanted::kSource: return " -xa '(__edgehose_names sources)'";
    case Wanted::kSink: return " -xa '(__edgehose_names sinks)'";
    case Wanted::kLevel: return fmt::format(" -xa '{}'", fmt::join(offered.levels, " "));
    case Wanted::kFormat: return fmt::format(" -xa '{}'", kFormats);
    case Wanted::kSetting: return fmt::format(" -xa '{}='", fmt::join(offered.keys, "= "));
    case Wanted::kCommand:
      return fmt::format(" -xa '{}'", fmt::join(first_words(offered.commands), " "));
    case Wanted::kAnything: break;
  }
  return " -x";
}

// After `words`; of a command that takes none only while none is there.
std::string after(std::string_view words) {
  std::string out;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    out += fmt::format("{}__fish_seen_subcommand_from {}", out.empty() ? "" : "; and ",
                       words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return fmt::format(" -n '{}'", out);
}

std::string option_line(const Option& option, const std::string& condition,
                        const Offered& offered) {
  return fmt::format("complete -c edgehose{} -l {}{} -d {}\n", condition, option.name,
                     option.argument.empty() ? "" : values(wanted_by(option), offered),
                     quoted(option.help));
}

std::string group_lines(const Offered& offered, std::string_view group) {
  std::string seconds;
  for (const Command& command : offered.commands)
    if (first_word(command) == group) seconds += fmt::format(" {}", second_word(command));
  std::string out;
  for (const Command& command : offered.commands)
    if (first_word(command) == group)
      out += fmt::format(
          "complete -c edgehose -n '__fish_seen_subcommand_from {}; and not "
          "__fish_seen_subcommand_from{}' -a {} -d {}\n",
          group, seconds, second_word(command), quoted(command.summary));
  return out;
}

std::string command_lines(const Command& command, const Offered& offered) {
  std::string out;
  for (const Option& option : command.options)
    out += option_line(option, after(command.name), offered);
  if (const Wanted wanted = wanted_by(command); wanted != Wanted::kAnything) {
    std::string value = values(wanted, offered);
    if (value.starts_with(" -x")) value = " -" + value.substr(3);  // words are not required
    out += fmt::format("complete -c edgehose{}{}\n", after(command.name),
                       wanted == Wanted::kFile ? " -F" : value);
  }
  return out;
}

constexpr std::string_view kHead =
    R"(# Fish completion of edgehose, made from the declarations of its options.

function __edgehose_names
    set -l config /etc/edgehose/edgehose.toml
    set -l words (commandline -opc)
    set -l at (contains -i -- --config $words); and set config $words[(math $at + 1)]
    sed -n "s/^[[:space:]]*\[$argv[1]\.\([a-z0-9_-]*\).*/\1/p" $config (dirname $config)/conf.d/*.toml 2>/dev/null
end

complete -c edgehose -f
)";

}  // namespace

Page fish_completion(const Offered& offered) {
  std::string out(kHead);
  for (const Option& option : offered.global_options) out += option_line(option, "", offered);
  for (const std::string_view first : first_words(offered.commands)) {
    std::string_view help = "several commands";
    for (const Command& command : offered.commands)
      if (command.name == first) help = command.summary;
    out += fmt::format("complete -c edgehose -n __fish_use_subcommand -a {} -d {}\n", first,
                       quoted(help));
    if (is_group(offered.commands, first)) out += group_lines(offered, first);
  }
  for (const Command& command : offered.commands) out += command_lines(command, offered);
  return {"fish/vendor_completions.d/edgehose.fish", out};
}

}  // namespace edgehose
