#include "agent/config/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/base/wrap.h"

namespace edgehose {

using namespace config;

std::string what_unset_means(const Field& field, const void* defaults) {
  if (field.required) return "required";
  const std::string value = field.print(defaults);
  if (!value.empty()) return "`" + value + "`";
  return field.default_text.empty() ? "none" : field.default_text;
}

std::string type_and_bounds(const Field& field) {
  return field.type + (field.bounds.empty() ? "" : ", " + field.bounds);
}

namespace {

void add_rows(const std::vector<Field>& fields, const void* defaults, const std::string& prefix,
              std::string& out) {
  for (const Field& field : fields) {
    if (!field.is_key()) continue;
    const std::string key = prefix + field.key;
    if (field.kind == Field::Kind::kTable) {
      out += fmt::format("| `{}` | table | | {} |\n", key, field.help);
      add_rows(field.fields, defaults, key + ".", out);
    } else {
      out += fmt::format("| `{}` | {} | {} | {} |\n", key, type_and_bounds(field),
                         what_unset_means(field, defaults), field.help);
    }
  }
}

void add_section(const std::string& title, const std::string& help,
                 const std::vector<Field>& fields, const void* defaults, std::string& out) {
  out += fmt::format("\n## {}\n\n", title);
  if (!help.empty()) out += help + "\n\n";
  out += "| key | type | default | meaning |\n|---|---|---|---|\n";
  add_rows(fields, defaults, "", out);
}

void add_component_sections(const std::string& kind, const std::vector<ComponentType>& types,
                            std::string& out) {
  for (const ComponentType& type : types) {
    std::any defaults = type.make();
    add_section(fmt::format("`[{}.NAME]` with `type = \"{}\"`", kind, type.name), type.help,
                type.fields, type.address_of(defaults), out);
  }
}

constexpr std::string_view kHead =
    "# Configuration reference\n\n"
    "Made from the declared fields; `edgehose config reference` prints it.\n\n";

}  // namespace

constinit const std::string_view kAboutValues =
    R"(The main file is `/etc/edgehose/edgehose.toml`. `conf.d/*.toml` beside it are laid on it in the order
of their names, then each `--set KEY=VALUE`: tables merge, everything else replaces.

- **string**: takes `${VAR}` and `${VAR:-default}` from the environment; `$$` is a `$`.
- **size**: `"8MiB"`, `"1.5GiB"`, `"100MB"`, or bytes as a number.
- **duration**: `"250ms"`, `"5m"`, `"1h30m"`, `"7d"`; always with its unit.
- **secret**: `{ file = "..." }`, `{ env = "..." }`, or `{ credential = "NAME" }`, which systemd passes with
  `LoadCredential=`, or else `/etc/edgehose/credentials/NAME`.
- **names** of sources and sinks: a-z, 0-9, `_` and `-`, at most 64 of them.
)";

namespace {

// --- the example ---------------------------------------------------------------------------------

std::string comment(const std::string& text) {
  constexpr std::size_t kWidth = 96;
  std::string out, line = "#";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (line.size() + 1 + end - at > kWidth) out += std::exchange(line, "#") + "\n";
    line += " " + text.substr(at, end - at);
    at = end + 1;
  }
  return out + line + "\n";
}

std::string inline_table(const Field& table, const void* defaults);

std::string example_value(const Field& field, const void* defaults) {
  if (!field.example.empty()) return field.example;
  if (field.kind == Field::Kind::kTable) return inline_table(field, defaults);
  const std::string value = field.print(defaults);
  return value.empty() ? "..." : value;
}

std::string inline_table(const Field& table, const void* defaults) {
  std::string out;
  for (const Field& field : table.fields)
    if (field.is_key())
      out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", field.key,
                         example_value(field, defaults));
  return "{ " + out + " }";
}

// Only what is required is set; the rest is there as comments, and what does not go with the other
// lines as a comment of another look.
void add_example(const std::vector<Field>& fields, const void* defaults, std::string& out) {
  for (const Field& field : fields) {
    if (!field.is_key()) continue;
    const bool set = field.required || field.in_example;
    out += comment(field.help) +
           (set           ? ""
            : field.apart ? "# "
                          : "#") +
           fmt::format("{} = {}\n", field.key, example_value(field, defaults));
  }
}

void add_example_components(const std::string& kind, const std::vector<ComponentType>& types,
                            std::string& out) {
  for (const ComponentType& type : types) {
    std::any defaults = type.make();
    out += fmt::format("\n{}[{}.my-{}]\ntype = \"{}\"\n", comment(type.help), kind, type.name,
                       type.name);
    add_example(type.fields, type.address_of(defaults), out);
  }
}

}  // namespace

std::string reference_page(const ConfigSchema& schema) {
  std::string out = fmt::format("{}{}", kHead, kAboutValues);
  const AgentConfig agent;
  const BufferConfig buffer;
  add_section("`[agent]`", "", agent_fields().fields, &agent, out);
  add_section("`[buffer]`", "", buffer_fields().fields, &buffer, out);
  add_component_sections("sources", schema.sources(), out);
  add_component_sections("sinks", schema.sinks(), out);
  return out;
}

std::string example_config(const ConfigSchema& schema) {
  const AgentConfig agent;
  const BufferConfig buffer;
  std::string out =
      "# edgehose: every option. Those behind a # show their default, or an example.\n\n[agent]\n";
  add_example(agent_fields().fields, &agent, out);
  out += "\n[buffer]\n";
  add_example(buffer_fields().fields, &buffer, out);
  add_example_components("sources", schema.sources(), out);
  add_example_components("sinks", schema.sinks(), out);
  return out;
}

namespace {

// A file by its name alone: where it lies is said above.
std::string short_origin(const config::Origin& origin) {
  config::Origin at = origin;
  if (at.kind == config::Origin::Kind::kFile) at.name = at.name.substr(at.name.rfind('/') + 1);
  return "# " + at.text();
}

}  // namespace

// The places stand in a column of their own, as far as a line has room for both.
std::string effective_config(const std::vector<Setting>& settings) {
  const auto left = [](const Setting& s) {
    if (!s.value.empty()) return fmt::format("{} = {}", s.path, s.value);
    return fmt::format("{} is unset{}", s.path, s.unset.empty() ? "" : ": " + s.unset);
  };
  std::size_t column = 0;
  for (const Setting& s : settings)
    if (const std::size_t width = left(s).size(); width + 2 + short_origin(s.origin).size() <= 64)
      column = std::max(column, width);
  std::string out;
  for (const Setting& s : settings) {
    const std::string origin = short_origin(s.origin);
    const std::string line = fmt::format("{:<{}}  {}", left(s), column, origin);
    if (line.size() < kColumns)
      out += line + '\n';
    else if (s.value.empty())
      out += wrapped(line, 4);
    else
      out += fmt::format("{}\n    {}\n", left(s), origin);
  }
  return out;
}

}  // namespace edgehose
