#include "sinks/events/json_line.h"

#include "agent/base/text.h"
#include "sinks/events/event_time.h"
#include "sinks/object/record_format.h"

namespace edgehose {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::optional<element> find(object in, std::string_view field) {
  element found;
  if (in.at_key(field).get(found) == simdjson::SUCCESS) return found;
  for (std::size_t dot = field.find('.'); dot != field.npos; dot = field.find('.', dot + 1)) {
    object inner;
    if (in.at_key(field.substr(0, dot)).get(inner) != simdjson::SUCCESS) continue;
    if (const auto below = find(inner, field.substr(dot + 1))) return below;
  }
  return std::nullopt;
}

}  // namespace

bool JsonLine::read(std::string_view line) {
  line = trimmed(line);
  if (!line.starts_with('{')) return false;
  if (parse(line)) return true;
  repaired_.clear();
  append_utf8(line, repaired_);
  return repaired_ != line && parse(repaired_);
}

bool JsonLine::parse(std::string_view text) {
  constexpr bool kCopied = true;  // into the parser's own padded memory
  if (parser_.parse(text.data(), text.size(), kCopied).get(object_) != simdjson::SUCCESS)
    return false;
  rest_ = text.substr(1);
  return true;
}

std::optional<std::string> JsonLine::text(std::string_view field) const {
  const std::optional<element> found = find(object_, field);
  if (!found || found->is_object() || found->is_array() || found->is_null()) return std::nullopt;
  std::string_view text;
  if (found->get(text) == simdjson::SUCCESS) return std::string(text);
  return simdjson::minify(*found);
}

std::optional<WallTime> JsonLine::time(std::string_view field) const {
  const std::optional<element> found = find(object_, field);
  if (!found) return std::nullopt;
  std::string_view text;
  std::int64_t whole = 0;
  double number = 0;
  if (found->get(text) == simdjson::SUCCESS) return parse_event_time(text);
  if (found->type() == simdjson::dom::element_type::INT64 && found->get(whole) == simdjson::SUCCESS)
    return event_time(whole);
  if (found->type() == simdjson::dom::element_type::DOUBLE &&
      found->get(number) == simdjson::SUCCESS)
    return event_time(number);
  return std::nullopt;
}

}  // namespace edgehose
