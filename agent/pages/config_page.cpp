#include <fmt/format.h>

#include <algorithm>

#include "agent/config/reference.h"
#include "agent/pages/pages.h"
#include "agent/pages/roff.h"

namespace edgehose {
namespace {

using config::Field;

void add_keys(const std::vector<Field>& fields, const void* defaults, const std::string& prefix,
              std::string& out) {
  for (const Field& field : fields) {
    if (!field.is_key()) continue;
    const std::string key = prefix + field.key;
    std::string term = fmt::format("\\fB{}\\fR", roff(key));
    std::string meaning = roff_marked(field.help);
    if (field.kind != Field::Kind::kTable) {
      term += fmt::format(" ({})", roff(type_and_bounds(field)));
      const std::string unset = what_unset_means(field, defaults);
      meaning += field.required ? "\nRequired." : fmt::format("\nDefault: {}.", roff_marked(unset));
    }
    out += roff_tagged(term, meaning);
    if (field.kind == Field::Kind::kTable) add_keys(field.fields, defaults, key + ".", out);
  }
}

void add_section(const std::string& title, const std::string& help,
                 const std::vector<Field>& fields, const void* defaults, std::string& out) {
  out += roff_section(title);
  if (!help.empty()) out += roff_marked(help) + '\n';
  add_keys(fields, defaults, "", out);
}

void add_types(std::string_view kind, const std::vector<ComponentType>& types, std::string& out) {
  for (const ComponentType& type : types) {
    std::any defaults = type.make();
    add_section(
        fmt::format("{} of type {}", kind, type.name),
        fmt::format("Table `[{}s.NAME]` with `type = \"{}\"`. {}", kind, type.name, type.help),
        type.fields, type.address_of(defaults), out);
  }
}

// "- **term**: meaning", which may go on in lines that are indented; what stands before is prose.
std::string introduction(std::string_view markdown) {
  std::string out, term, meaning;
  const auto close = [&] {
    if (!term.empty()) out += roff_tagged(term, roff_marked(meaning));
    term.clear();
  };
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    const std::string_view line = markdown.substr(0, end);
    const std::size_t colon = line.find(": ");
    if (line.starts_with("- ") && colon != std::string_view::npos) {
      close();
      term = roff_marked(line.substr(2, colon - 2));
      meaning = line.substr(colon + 2);
    } else if (!term.empty() && line.starts_with("  ")) {
      meaning += line.substr(1);
    } else {
      close();
      out += line.empty() ? ".PP\n" : roff_marked(line) + '\n';
    }
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  close();
  return out;
}

constexpr std::string_view kExample =
    "[sources.app]\n"
    "type  = \"file\"\n"
    "paths = [\"/var/log/app/**/*.log\"]\n"
    "\n"
    "[sinks.archive]\n"
    "type   = \"directory\"\n"
    "path   = \"/media/usb/logs\"\n"
    "prefix = \"site=north/!{timestamp:yyyy/MM/dd/HH}/\"";

}  // namespace

Page config_page(const ConfigSchema& schema) {
  const AgentConfig agent;
  const BufferConfig buffer;
  std::string out = roff_title("edgehose.toml", 5);
  out += roff_section("Name") + "edgehose.toml \\- what edgehose reads, and where it delivers it\n";
  out += roff_section("Description") + introduction(kAboutValues);
  add_section("agent", "Table `[agent]`.", agent_fields().fields, &agent, out);
  add_section("buffer", "Table `[buffer]`.", buffer_fields().fields, &buffer, out);
  add_types("source", schema.sources(), out);
  add_types("sink", schema.sinks(), out);
  out += roff_section("Example") + roff_example(kExample);
  out += roff_section("See also") +
         ".BR edgehose (1),\n.BR edgehose\\-check (1),\n.BR edgehose\\-config\\-example (1)\n";
  return {"man/man5/edgehose.toml.5", out};
}

}  // namespace edgehose
