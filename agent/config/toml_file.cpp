#include "agent/config/toml_file.h"

// Compiled in here without exceptions and without what we do not use, rather than linked.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <toml++/toml.h>
#pragma GCC diagnostic pop

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "agent/base/file.h"
#include "agent/base/text.h"

namespace edgehose::config {
namespace {

// Gives every value the place it came from: in a file its line and column, else what is fixed.
class Converter {
 public:
  explicit Converter(Origin base) : base_(std::move(base)) {}

  Table table(const toml::table& from) const {
    Table out;
    for (const auto& [key, node] : from)
      out.push_back({std::string(key.str()), origin(key.source()), value(node)});
    // toml++ sorts by name; people read in the order of the file.
    std::stable_sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.origin.line, a.origin.column) < std::pair(b.origin.line, b.origin.column);
    });
    return out;
  }

  Origin origin(const toml::source_region& region) const {
    Origin at = base_;
    if (at.kind == Origin::Kind::kFile) {
      at.line = region.begin.line;
      at.column = region.begin.column;
    }
    return at;
  }

 private:
  Value value(const toml::node& node) const {
    Value out;
    out.origin = origin(node.source());
    if (const auto* t = node.as_table())
      out.data = table(*t);
    else if (const auto* a = node.as_array())
      out.data = list(*a);
    else if (const auto* s = node.as_string())
      out.data = s->get();
    else if (const auto* i = node.as_integer())
      out.data = i->get();
    else if (const auto* d = node.as_floating_point())
      out.data = d->get();
    else if (const auto* b = node.as_boolean())
      out.data = b->get();
    else
      out.data = Date{};
    return out;
  }

  List list(const toml::array& from) const {
    List out;
    for (const toml::node& item : from) out.push_back(value(item));
    return out;
  }

  Origin base_;
};

// The parser's words, as a part of our sentence.
std::string parse_problem(const toml::parse_error& error) {
  constexpr std::string_view kPrefix = "Error while parsing ";
  std::string_view words = error.description();
  // Said of the line end that a string without its closing quote runs into.
  if (words.find("unescaped control characters") != std::string_view::npos)
    return "not valid TOML: a string is not closed on its line, or holds a control character";
  if (words.starts_with(kPrefix)) words.remove_prefix(kPrefix.size());
  return fmt::format("not valid TOML: {}", words);
}

// A text without its quotes, or with those of a word processor, where the line that does not parse
// holds one: " (...)", or empty.
std::string quotes_hint(std::string_view text, unsigned line) {
  for (; line > 1 && !text.empty(); --line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text = text.substr(0, text.find('\n'));
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {};
  text.remove_prefix(equals + 1);
  const std::size_t first = text.find_first_not_of(" \t[");
  if (first == std::string_view::npos) return {};
  text.remove_prefix(first);
  for (const std::string_view typographic : {"\u201c", "\u201d", "\u201e", "\u2018", "\u2019"})
    if (text.starts_with(typographic))
      return fmt::format(" (a text stands in quotes of ASCII: \" and not {})", typographic);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\r,]}#"));
  if (word.empty()) return {};
  const auto is = [](int (*kind)(int), char c) { return kind(static_cast<unsigned char>(c)) != 0; };
  const bool text_like = is(std::isalpha, word[0]) || word[0] == '/' || word[0] == '*' ||
                         (is(std::isdigit, word[0]) && is(std::isalpha, word.back()));  // 10s
  if (!text_like) return {};
  if (word == "true" || word == "false" || word.size() > 64) return {};
  return fmt::format(" (a text stands in quotes: \"{}\")", word);
}

// The value at the end of a chain of tables with one entry each.
Value& leaf(Table& table) {
  Value* value = &table.front().value;
  while (auto* inner = value->as<Table>()) {
    if (inner->empty()) break;
    value = &inner->front().value;
  }
  return *value;
}

}  // namespace

std::optional<std::string> read_config_file(const std::string& path, Diagnostics& problems) {
  auto text = read_file(path, kMaxFileBytes);
  if (text) return *std::move(text);
  problems.error({}, text.error().code == ErrorCode::kNotFound
                         ? text.error().message +
                               "; make one from what `edgehose config example` prints, or name "
                               "another with --config"
                         : text.error().message);
  return std::nullopt;
}

std::optional<Table> parse_toml(const std::string& path, std::string_view text,
                                Diagnostics& problems) {
  const toml::parse_result parsed = toml::parse(text);
  const Converter converter(Origin{Origin::Kind::kFile, path});
  if (parsed) return converter.table(parsed.table());
  const Origin at = converter.origin(parsed.error().source());
  problems.error(at, parse_problem(parsed.error()) + quotes_hint(text, at.line));
  return std::nullopt;
}

std::optional<Table> read_set(const std::string& assignment, Diagnostics& problems) {
  const std::size_t equals = assignment.find('=');
  const std::string key(trimmed(std::string_view(assignment).substr(0, equals)));
  const std::string raw = equals == std::string::npos ? "" : assignment.substr(equals + 1);
  const Converter converter(Origin{Origin::Kind::kSet, key});
  // The key has to stand alone: no header, no comment, no second line.
  const bool is_key = key.find_first_of("\r\n") == std::string::npos && !key.starts_with('[') &&
                      !key.starts_with('#');
  const toml::parse_result parsed = toml::parse(key + " = \"\"");
  if (equals == std::string::npos || !is_key || !parsed) {
    problems.error(converter.origin({}),
                   "expected KEY=VALUE, for instance sinks.archive.path=/mnt/logs");
    return std::nullopt;
  }
  if (raw.find_first_of("\r\n") == std::string::npos) {
    if (const toml::parse_result as_toml = toml::parse(assignment)) {
      Table table = converter.table(as_toml.table());
      leaf(table).raw = raw;
      return table;
    }
  }
  Table table = converter.table(parsed.table());
  leaf(table).data = raw;
  return table;
}

}  // namespace edgehose::config
