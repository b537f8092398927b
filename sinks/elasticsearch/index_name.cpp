#include "sinks/elasticsearch/index_name.h"

#include <algorithm>
#include <array>

#include "sinks/events/expressions.h"
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
  EH_TRY(each_expression(text, {[&](std::string_view part) {
                                  name.parts_.push_back({std::string(part), {}});
                                },
                                [&](std::string_view space, std::string_view value) {
                                  return name.add_expression(space, value, labels, warnings);
                                }}));
  // A week's year is meant here.
  std::vector<std::string> own;
  if (rotation != IndexRotation::kNone) EH_TRY(name.add_pattern(pattern_of(rotation), own));
  // Names of months and days would be capitals, so times of several kinds are tried.
  for (const std::int64_t seconds : {1'795'698'000, 1'772'600'767, 0})
    if (const std::string why = not_an_index(name.at(WallTime(seconds * 1'000'000'000)));
        !why.empty())
      return fail(ErrorCode::kInvalid, "{}", why);
  return name;
}

Status IndexName::add_expression(std::string_view space, std::string_view value,
                                 const Labels& labels, std::vector<std::string>& warnings) {
  static constexpr std::array<std::string_view, 2> kSpaces = {"timestamp", "label"};
  if (space == "timestamp") return add_pattern(value, warnings);
  if (space != "label")
    return no_expression(space, value, "!{timestamp:yyyy.MM.dd} and !{label:NAME}", kSpaces);
  EH_ASSIGN(std::string label, label_of(labels, value));
  parts_.push_back({std::move(label), std::nullopt});
  return {};
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
