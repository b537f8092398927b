#include "agent/config/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgehose::config {

std::string Origin::text() const {
  switch (kind) {
    case Kind::kDefault: return "default";
    case Kind::kSet: return "--set " + name;
    case Kind::kFile: break;
  }
  return line == 0 ? name : fmt::format("{}:{}:{}", name, line, column);
}

std::string Problem::text() const {
  return origin.kind == Origin::Kind::kDefault ? message : origin.text() + ": " + message;
}

const Entry* find(const Table& table, std::string_view key) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Entry& e) { return e.key == key; });
  return found == table.end() ? nullptr : &*found;
}

Origin place_of(const Table& table, std::string_view key, const Origin& table_at,
                std::size_t item) {
  const std::size_t dot = key.find('.');
  const Entry* entry = find(table, key.substr(0, dot));
  if (entry == nullptr) return table_at;
  const Value& value = entry->value;
  if (dot != std::string_view::npos) {
    const Table* inner = value.as<Table>();
    return inner != nullptr ? place_of(*inner, key.substr(dot + 1), value.origin, item)
                            : value.origin;
  }
  const List* items = value.as<List>();
  return items != nullptr && item < items->size() ? (*items)[item].origin : value.origin;
}

namespace {
// { file = "..." } and its like are one value: laying { env = "..." } on it replaces it.
bool is_reference(const Table& table) {
  return table.size() == 1 && table[0].value.as<std::string>() != nullptr &&
         (table[0].key == "file" || table[0].key == "env" || table[0].key == "credential");
}
}  // namespace

void merge(Table& base, Table over) {
  for (Entry& entry : over) {
    const auto found =
        std::find_if(base.begin(), base.end(), [&](const Entry& e) { return e.key == entry.key; });
    if (found == base.end()) {
      base.push_back(std::move(entry));
      continue;
    }
    auto* below = found->value.as<Table>();
    auto* above = entry.value.as<Table>();
    const bool both_tables = below != nullptr && above != nullptr;
    if (both_tables && !(is_reference(*below) && is_reference(*above)))
      merge(*below, std::move(*above));
    else
      *found = std::move(entry);
  }
}

std::string describe(const Value& value) {
  struct Describe {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t i) const { return fmt::format("the integer {}", i); }
    std::string operator()(double d) const { return fmt::format("the number {}", d); }
    std::string operator()(Date) const { return "a date"; }
    std::string operator()(const std::string& s) const {
      return s.size() <= 64 ? "the string " + quote(s) : "a long string";
    }
    std::string operator()(const List&) const { return "a list"; }
    std::string operator()(const Table&) const { return "a table"; }
  };
  return std::visit(Describe{}, value.data);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
          out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  return out + '"';
}

std::string quote_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : quote(key);
}

}  // namespace edgehose::config
