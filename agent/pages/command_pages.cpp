#include <fmt/format.h>

#include <algorithm>

#include "agent/commands/help.h"
#include "agent/pages/pages.h"
#include "agent/pages/roff.h"

namespace edgehose {
namespace {

std::string page_name(std::string_view command) {
  std::string name = fmt::format("edgehose-{}", command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string option_list(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) {
    std::string term = fmt::format("\\fB{}\\fR", roff(fmt::format("--{}", option.name)));
    if (!option.argument.empty()) term += fmt::format(" \\fI{}\\fR", roff(option.argument));
    out += roff_tagged(term, roff(option.help));
  }
  return out;
}

// "0  done" and lines that go on where a meaning begins.
std::string exit_codes(std::string_view codes) {
  std::string out;
  while (!codes.empty()) {
    const std::size_t end = std::min(codes.find('\n'), codes.size());
    const std::string_view line = codes.substr(0, end);
    const std::string_view meaning = line.substr(std::min<std::size_t>(3, line.size()));
    if (line.starts_with(' '))
      out += roff(meaning) + '\n';
    else
      out += roff_tagged(fmt::format("\\fB{}\\fR", line.substr(0, 1)), roff(meaning));
    codes.remove_prefix(std::min(end + 1, codes.size()));
  }
  return out;
}

std::string synopsis(const Command& command) {
  std::string out = fmt::format(".B edgehose {}\n", roff(command.name));
  if (!command.options.empty()) out += "[\\fIOPTION\\fR]...\n";
  if (!command.arguments.empty()) out += fmt::format("{}\n", roff(command.arguments));
  return out;
}

constexpr std::string_view kSeeAlso =
    ".BR edgehose (1),\n.BR edgehose.toml (5)\n.PP\n/usr/share/doc/edgehose/OPERATING.md.gz says "
    "what to do when.\n";

Page page_of(const Command& command, const std::vector<Option>& global_options) {
  const std::string name = page_name(command.name);
  std::string out = roff_title(name, 1);
  out += roff_section("Name") + fmt::format("{} \\- {}\n", roff(name), roff(command.summary));
  out += roff_section("Synopsis") + synopsis(command);
  out += roff_section("Description") + roff_paragraphs(command.description);
  out += roff_section("Options") + option_list(command.options);
  if (!command.options.empty()) out += ".PP\nOptions of every command:\n";
  out += option_list(global_options);
  if (!command.examples.empty()) out += roff_section("Examples") + roff_example(command.examples);
  out += roff_section("Exit status") + exit_codes(exit_codes_of(command));
  out += roff_section("See also");
  out += kSeeAlso;
  return {fmt::format("man/man1/{}.1", name), out};
}

std::string command_list(const std::vector<Command>& commands) {
  std::string out;
  for (const Command& command : commands)
    out += roff_tagged(
        fmt::format("\\fBedgehose {}\\fR", roff(command.name)),
        fmt::format("{}: see {}(1).", roff(command.summary), roff(page_name(command.name))));
  return out;
}

struct InstalledFile {
  std::string_view path, meaning;
};
constexpr InstalledFile kFiles[] = {
    {"/etc/edgehose/edgehose.toml",
     "The config: edgehose.toml(5). conf.d/*.toml beside it are merged."},
    {"/etc/edgehose/credentials/", "Secrets that the config names as { credential = \"NAME\" }."},
    {"/var/lib/edgehose/", "The buffer, the agent's identity and its positions."},
    {"/run/edgehose/status.sock", "Where the running agent answers."},
};

Page overview(const std::vector<Command>& commands, const std::vector<Option>& global_options) {
  std::string out = roff_title("edgehose", 1);
  out += roff_section("Name") + "edgehose \\- durable delivery of local logs\n";
  out += roff_section("Synopsis") +
         ".B edgehose\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-set\\fR "
         "\\fIKEY=VALUE\\fR]... \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n";
  out += roff_section("Description") + roff_paragraphs(kPurpose);
  out += roff_section("Commands") + command_list(commands);
  out += roff_section("Options") + option_list(global_options);
  out += roff_section("Exit status") + exit_codes(kAllExitCodes);
  out += roff_section("Files");
  for (const InstalledFile& file : kFiles)
    out += roff_tagged(fmt::format("\\fI{}\\fR", roff(file.path)), roff(file.meaning));
  out += roff_section("See also");
  out += kSeeAlso;
  return {"man/man1/edgehose.1", out};
}

}  // namespace

std::vector<Page> command_pages(const std::vector<Command>& commands,
                                const std::vector<Option>& global_options) {
  std::vector<Page> pages = {overview(commands, global_options)};
  for (const Command& command : commands) pages.push_back(page_of(command, global_options));
  return pages;
}

}  // namespace edgehose
