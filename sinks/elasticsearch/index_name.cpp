#include "sinks/elasticsearch/index_name.h"

#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "sinks/object/time_zone.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

const TimeZone& utc() {
  static const TimeZone zone = *TimeZone::load("UTC");
  return zone;
}

std::string_view pattern_of(IndexRotation rotation) {
  switch (rotation) {
    case IndexRotation::kNone: return "";
    case IndexRotation::kHour: return "'-'yyyy-MM-dd-HH";
    case IndexRotation::kDay: return "'-'yyyy-MM-dd";
    case IndexRotation::kWeek: return "'-'YYYY-'w'ww";
    case IndexRotation::kMonth: return "'-'yyyy-MM";
  }
  return "";
}

template <class... Args>
tl::unexpected<Error> wrong(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kInvalid, format, std::forward<Args>(args)...);
}

}  // namespace

// https://www.elastic.co/guide/en/elasticsearch/reference/8.19/indices-create-index.html
std::string not_an_index(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > kMaxNameBytes) return fmt::format("is longer than {} bytes", kMaxNameBytes);
  if (name == "." || name == "..") return "must not be a dot or two";
  if (std::string_view("-_+").find(name.front()) != std::string_view::npos)
    return fmt::format("must not begin with \"{}\"", name.front());
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') return fmt::format("must be in lower case: \"{}\"", name);
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7F' ||
        std::string_view("\\/*?\"<>|,#:").find(c) != std::string_view::npos)
      return fmt::format("must not hold '{}'", c > ' ' && c != '\x7F' ? std::string(1, c) : " ");
  }
  return {};
}

Result<IndexName> IndexName::compile(std::string_view text, IndexRotation rotation,
                                     const Labels& labels, std::vector<std::string>& warnings) {
  IndexName name;
  while (!text.empty()) {
    const std::size_t open = text.find("!{");
    if (open != 0) name.parts_.push_back({std::string(text.substr(0, open)), std::nullopt});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos)
      return wrong("the expression {} is not closed: its }} is missing", text.substr(open, 64));
    EH_TRY(name.add_expression(text.substr(open + 2, close - open - 2), labels, warnings));
    text.remove_prefix(close + 1);
  }
  // A week's year is meant here.
  std::vector<std::string> own;
  if (rotation != IndexRotation::kNone) EH_TRY(name.add_pattern(pattern_of(rotation), own));
  // Names of months and days would be capitals, so times of several kinds are tried.
  for (const std::int64_t seconds : {1'795'698'000, 1'772'600'767, 0})
    if (const std::string why = not_an_index(name.at(WallTime(seconds * 1'000'000'000)));
        !why.empty())
      return wrong("{}", why);
  return name;
}

Status IndexName::add_expression(std::string_view expression, const Labels& labels,
                                 std::vector<std::string>& warnings) {
  static constexpr std::array<std::string_view, 2> kNamespaces = {"timestamp", "label"};
  const std::size_t colon = expression.find(':');
  const std::string_view space = expression.substr(0, colon);
  const std::string_view value =
      colon == std::string_view::npos ? "" : expression.substr(colon + 1);
  if (space == "timestamp") return add_pattern(value, warnings);
  if (space == "label") {
    const auto label = labels.find(std::string(value));
    if (label == labels.end())
      return wrong("!{{{}}}: the agent has no label \"{}\" ([agent] labels)", expression, value);
    parts_.push_back({label->second, std::nullopt});
    return {};
  }
  const auto near = nearest(space, kNamespaces);
  return wrong(
      "!{{{}}} is no expression: there are !{{timestamp:yyyy.MM.dd}} and !{{label:NAME}}{}",
      expression, near ? fmt::format("; did you mean {}?", *near) : "");
}

Status IndexName::add_pattern(std::string_view pattern, std::vector<std::string>& warnings) {
  EH_ASSIGN(DatePattern compiled, DatePattern::compile(pattern, warnings));
  parts_.push_back({"", std::move(compiled)});
  return {};
}

std::optional<std::string> IndexName::fixed() const {
  std::string name;
  for (const Part& part : parts_) {
    if (part.pattern) return std::nullopt;
    name += part.text;
  }
  return name;
}

std::string IndexName::at(WallTime time) const {
  std::string name;
  for (const Part& part : parts_)
    name += part.pattern ? part.pattern->format(time, utc()) : part.text;
  return name;
}

}  // namespace edgehose
