#include "agent/config/expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace edgehose::config {
namespace {

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

// Appends the value of what stands between "${" and "}". Returns what is wrong, or nothing.
std::string append_variable(std::string_view inside, std::string& out) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name))
    return fmt::format(
        "\"${{{}}}\" is not ${{NAME}} or ${{NAME:-default}}; a literal \"$\" is written \"$$\"",
        inside.substr(0, 64));
  const char* value = std::getenv(name.c_str());
  if (split != std::string_view::npos) {
    out += value != nullptr && *value != '\0' ? std::string_view(value) : inside.substr(split + 2);
    return {};
  }
  if (value == nullptr)
    return fmt::format(
        "the environment variable {0} is not set; set it, or give a default: ${{{0}:-...}}", name);
  out += value;
  return {};
}

// Replaces `text`, or returns what is wrong.
std::string expand(std::string& text) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t dollar = rest.find('$');
    out += rest.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    rest.remove_prefix(dollar);
    if (rest.starts_with("$$")) {
      out += '$';
      rest.remove_prefix(2);
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos)
        return "\"${\" without its \"}\"; a literal \"$\" is written \"$$\"";
      if (std::string wrong = append_variable(rest.substr(2, end - 2), out); !wrong.empty())
        return wrong;
      rest.remove_prefix(end + 1);
    } else {
      out += '$';
      rest.remove_prefix(1);
    }
  }
  text = std::move(out);
  return {};
}

void expand_value(Value& value, Diagnostics& problems) {
  if (auto* text = value.as<std::string>()) {
    const std::string wrong = expand(*text);
    if (wrong.empty()) return;
    problems.error(value.origin, wrong);
    value.broken = true;
  } else if (auto* list = value.as<List>()) {
    for (Value& item : *list) expand_value(item, problems);
  } else if (auto* table = value.as<Table>()) {
    expand_variables(*table, problems);
  }
}

}  // namespace

void expand_variables(Table& table, Diagnostics& problems) {
  for (Entry& entry : table) expand_value(entry.value, problems);
}

}  // namespace edgehose::config
