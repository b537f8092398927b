#include "agent/config/field_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "agent/base/file.h"
#include "agent/base/text.h"

namespace edgehose::config {
namespace {

bool expected(const Value& value, std::string_view what, Diagnostics& problems) {
  problems.error(value.origin, fmt::format("expected {}, got {}", what, describe(value)));
  return false;
}

// For types whose values must not be shown.
bool expected_unseen(const Value& value, std::string_view what, Diagnostics& problems) {
  const std::string got = value.as<std::string>() != nullptr ? "a string" : describe(value);
  problems.error(value.origin, fmt::format("expected {}, got {}", what, got));
  return false;
}

// A string; from the command line also what looks like a number: --set agent.id=42.
const std::string* string_in(const Value& value) {
  if (const auto* text = value.as<std::string>()) return text;
  const bool scalar = value.as<List>() == nullptr && value.as<Table>() == nullptr;
  return scalar && !value.raw.empty() ? &value.raw : nullptr;
}

// Like format_duration, but exact and without spaces: reads back as the same value.
std::string duration_text(Duration duration) {
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 6> kUnits{
      {{86'400'000'000'000, "d"},
       {3'600'000'000'000, "h"},
       {60'000'000'000, "m"},
       {1'000'000'000, "s"},
       {1'000'000, "ms"},
       {1'000, "us"}}};
  std::string out;
  std::int64_t rest = duration.count();
  for (const auto& [nanoseconds, unit] : kUnits) {
    if (rest < nanoseconds) continue;
    out += fmt::format("{}{}", rest / nanoseconds, unit);
    rest %= nanoseconds;
  }
  return out.empty() ? "0s" : out;
}

template <class T, class Print>
std::string print_list(const std::vector<T>& items, Print print) {
  std::string out;
  for (const T& item : items) out += (out.empty() ? "" : ", ") + print(item);
  return out.empty() ? out : "[" + out + "]";
}

constexpr std::string_view kSecretForm =
    "{ file = \"...\" }, { env = \"...\" } or { credential = \"...\" }";

}  // namespace

bool read_value(const Value& value, bool& out, Diagnostics& problems) {
  const auto* b = value.as<bool>();
  if (b == nullptr) return expected(value, "true or false", problems);
  out = *b;
  return true;
}

bool read_value(const Value& value, std::string& out, Diagnostics& problems) {
  const std::string* text = string_in(value);
  if (text == nullptr) return expected(value, "a string", problems);
  out = *text;
  return true;
}

bool read_value(const Value& value, Duration& out, Diagnostics& problems) {
  const auto* text = value.as<std::string>();
  const auto duration = text != nullptr ? parse_duration(*text) : std::nullopt;
  if (!duration) return expected(value, "a duration such as \"5m\"", problems);
  out = *duration;
  return true;
}

bool read_value(const Value& value, std::vector<std::string>& out, Diagnostics& problems) {
  const auto* list = value.as<List>();
  if (list == nullptr) return expected(value, "a list of strings such as [\"a\", \"b\"]", problems);
  std::vector<std::string> read;
  bool good = true;
  for (const Value& item : *list) {
    std::string text;
    if (item.broken || !read_value(item, text, problems)) good = false;
    read.push_back(std::move(text));
  }
  if (good) out = std::move(read);
  return good;
}

bool read_value(const Value& value, StringMap& out, Diagnostics& problems) {
  const auto* entries = value.as<Table>();
  if (entries == nullptr)
    return expected(value, "a table of strings such as { a = \"b\" }", problems);
  StringMap read;
  bool good = true;
  for (const Entry& entry : *entries) {
    std::string text;
    if (entry.value.broken || !read_value(entry.value, text, problems)) good = false;
    read[entry.key] = std::move(text);
  }
  if (good) out = std::move(read);
  return good;
}

bool read_value(const Value& value, SecretRef& out, Diagnostics& problems) {
  const auto* union_table = value.as<Table>();
  if (union_table == nullptr || union_table->size() != 1)
    return expected_unseen(value, fmt::format("a secret: {}", kSecretForm), problems);
  const Entry& entry = union_table->front();
  if (entry.value.broken) return false;
  if (entry.key == "file")
    out.kind = SecretRef::Kind::kFile;
  else if (entry.key == "env")
    out.kind = SecretRef::Kind::kEnv;
  else if (entry.key == "credential")
    out.kind = SecretRef::Kind::kCredential;
  else {
    problems.error(entry.origin,
                   fmt::format("a secret has no {}{}", quote(entry.key),
                               suggestion(entry.key, {"file", "env", "credential"}, "kinds")));
    return false;
  }
  if (!read_value(entry.value, out.where, problems)) return false;
  const bool name_only = out.kind == SecretRef::Kind::kCredential;
  if (out.where.empty() || (name_only && out.where.find('/') != std::string::npos)) {
    problems.error(entry.value.origin,
                   fmt::format("{} {}", quote(entry.key),
                               name_only ? "must be a credential's name, without \"/\""
                                         : "must not be empty"));
    return false;
  }
  return true;
}

bool read_plain_secret(const Value& value, SecretRef& out, Diagnostics& problems) {
  const std::string* text = string_in(value);
  if (text == nullptr) return read_value(value, out, problems);
  out = {SecretRef::Kind::kPlain, {}, Secret(*text)};
  return true;
}

bool read_value(const Value& value, std::vector<SecretRef>& out, Diagnostics& problems) {
  const auto* list = value.as<List>();
  if (list == nullptr)
    return expected_unseen(value, "a list of secrets such as [{ file = \"...\" }]", problems);
  std::vector<SecretRef> read;
  bool good = true;
  for (const Value& item : *list) {
    SecretRef secret;
    if (item.broken || !read_value(item, secret, problems)) good = false;
    read.push_back(std::move(secret));
  }
  if (good) out = std::move(read);
  return good;
}

bool read_integer(const Value& value, std::int64_t low, std::int64_t high, std::int64_t& out,
                  Diagnostics& problems) {
  const auto* i = value.as<std::int64_t>();
  if (i == nullptr) return expected(value, "an integer", problems);
  if (*i < low || *i > high) {
    problems.error(value.origin, fmt::format("must be between {} and {}, got {}", low, high, *i));
    return false;
  }
  out = *i;
  return true;
}

bool read_size(const Value& value, std::uint64_t& out, Diagnostics& problems) {
  std::optional<std::uint64_t> size;
  if (const auto* text = value.as<std::string>()) size = parse_size(*text);
  if (const auto* bytes = value.as<std::int64_t>(); bytes != nullptr && *bytes >= 0)
    size = static_cast<std::uint64_t>(*bytes);
  if (!size) return expected(value, "a size such as \"8MiB\"", problems);
  out = *size;
  return true;
}

bool read_size(const Value& value, std::optional<std::uint64_t>& out, Diagnostics& problems) {
  std::uint64_t size = 0;
  if (!read_size(value, size, problems)) return false;
  out = size;
  return true;
}

bool read_text_or_file(const Value& value, std::string& out, Diagnostics& problems) {
  constexpr std::size_t kMaxText = 4096;
  const auto* source = value.as<Table>();
  if (source == nullptr) {
    if (string_in(value) == nullptr)
      return expected(value, "a string or { file = \"...\" }", problems);
    return read_value(value, out, problems);
  }
  const Entry* entry = source->size() == 1 ? find(*source, "file") : nullptr;
  if (entry == nullptr) return expected(value, "a string or { file = \"...\" }", problems);
  std::string path;
  if (entry->value.broken || !read_value(entry->value, path, problems)) return false;
  auto text = read_file(path, kMaxText);
  if (!text) {
    problems.error(entry->value.origin, std::move(text).error().message);
    return false;
  }
  const auto end = text->find_last_not_of(" \t\r\n");
  out = end == std::string::npos ? "" : text->substr(0, end + 1);
  if (!out.empty()) return true;
  problems.error(entry->value.origin, fmt::format("{} is empty", path));
  return false;
}

bool read_choice(const Value& value, const std::vector<std::string>& names, std::size_t& out,
                 Diagnostics& problems) {
  const auto* text = value.as<std::string>();
  if (text == nullptr) return expected(value, choice_type(names), problems);
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) {
    out = static_cast<std::size_t>(found - names.begin());
    return true;
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest(*text, views);
  problems.error(value.origin,
                 fmt::format("expected {}, got {}{}", choice_type(names), describe(value),
                             near ? fmt::format("; did you mean {}?", quote(*near)) : ""));
  return false;
}

std::string print_value(bool value) { return value ? "true" : "false"; }
std::string print_value(const std::string& value) { return value.empty() ? "" : quote(value); }
std::string print_value(Duration value) { return quote(duration_text(value)); }
std::string print_value(const SecretRef& value) { return value.text(); }

std::string print_value(const std::vector<std::string>& value) {
  return print_list(value, [](const std::string& item) { return quote(item); });
}

std::string print_value(const std::vector<SecretRef>& value) {
  return print_list(value, [](const SecretRef& item) { return item.text(); });
}

std::string print_value(const StringMap& value) {
  std::string out;
  for (const auto& [key, text] : value)
    out += (out.empty() ? "" : ", ") + quote_key(key) + " = " + quote(text);
  return out.empty() ? out : "{ " + out + " }";
}

std::string print_size(std::uint64_t value) {
  constexpr std::array<std::string_view, 5> kUnits{"", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; value != 0 && value % 1024 == 0 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? std::to_string(value) : quote(fmt::format("{}{}", value, kUnits[unit]));
}

std::string print_size(const std::optional<std::uint64_t>& value) {
  return value ? print_size(*value) : "";
}

std::string choice_type(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + quote(names[i]);
  return out;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known,
                       std::string_view what) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  if (const auto near = nearest(word, views))
    return fmt::format("; did you mean {}?", quote(*near));
  return known.empty() ? "" : fmt::format("; known {}: {}", what, fmt::join(known, ", "));
}

std::string not_absolute(const std::string& path) {
  return path.starts_with('/') ? ""
                               : "must be an absolute path: a service has no directory of its own";
}

}  // namespace edgehose::config
