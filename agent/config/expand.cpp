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

// Expands one text; tells what is wrong with it at its place.
class Expansion {
 public:
  Expansion(const Variables& variables, const Origin& at, Diagnostics& problems)
      : variables_(variables), at_(at), problems_(problems) {}

  // Replaces `text`; false: reported.
  bool expand(std::string& text);

 private:
  bool append_variable(std::string_view inside, std::string& out);
  const char* value_of(const std::string& name);
  bool missing(const std::string& name);
  bool wrong(std::string message) {
    problems_.error(at_, std::move(message));
    return false;
  }

  const Variables& variables_;
  const Origin& at_;
  Diagnostics& problems_;
};

bool Expansion::expand(std::string& text) {
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
        return wrong("\"${\" without its \"}\"; a literal \"$\" is written \"$$\"");
      if (!append_variable(rest.substr(2, end - 2), out)) return false;
      rest.remove_prefix(end + 1);
    } else {
      out += '$';
      rest.remove_prefix(1);
    }
  }
  text = std::move(out);
  return true;
}

// Appends the value of what stands between "${" and "}".
bool Expansion::append_variable(std::string_view inside, std::string& out) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name))
    return wrong(fmt::format(
        "\"${{{}}}\" is not ${{NAME}} or ${{NAME:-default}}; a literal \"$\" is written \"$$\"",
        inside.substr(0, 64)));
  const char* value = value_of(name);
  if (split != std::string_view::npos) {
    out += value != nullptr && *value != '\0' ? std::string_view(value) : inside.substr(split + 2);
    return true;
  }
  if (value == nullptr) return missing(name);
  out += value;
  return true;
}

const char* Expansion::value_of(const std::string& name) {
  if (const char* own = std::getenv(name.c_str())) return own;
  const auto granted = variables_.service.find(name);
  if (granted == variables_.service.end()) return nullptr;
  problems_.warn(at_, fmt::format("the environment variable {} is not set here: the value that the "
                                  "service's unit gives it is taken",
                                  name));
  return granted->second.c_str();
}

bool Expansion::missing(const std::string& name) {
  if (variables_.needed)
    return wrong(fmt::format(
        "the environment variable {0} is not set; set it, or give a default: ${{{0}:-...}}", name));
  problems_.warn(at_, fmt::format("the environment variable {} is not set here: the value is left "
                                  "at its default",
                                  name));
  return false;
}

void expand_value(Value& value, const Variables& variables, Diagnostics& problems) {
  if (auto* text = value.as<std::string>()) {
    if (!Expansion(variables, value.origin, problems).expand(*text)) value.broken = true;
  } else if (auto* list = value.as<List>()) {
    for (Value& item : *list) expand_value(item, variables, problems);
  } else if (auto* table = value.as<Table>()) {
    expand_variables(*table, variables, problems);
  }
}

}  // namespace

void expand_variables(Table& table, const Variables& variables, Diagnostics& problems) {
  for (Entry& entry : table) expand_value(entry.value, variables, problems);
}

bool any_broken(const Value& value) {
  if (value.broken) return true;
  if (const List* items = value.as<List>()) return std::ranges::any_of(*items, any_broken);
  const Table* table = value.as<Table>();
  return table != nullptr &&
         std::ranges::any_of(*table, [](const Entry& entry) { return any_broken(entry.value); });
}

}  // namespace edgehose::config
