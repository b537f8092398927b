#include "sinks/splunk/event_text.h"

#include <algorithm>

#include "sinks/events/expressions.h"

namespace edgehose {
namespace {

constexpr std::string_view kSpaces[] = {"label", "attribute", "field"};
constexpr std::string_view kKnown = "!{label:NAME}, !{attribute:NAME} and !{field:NAME}";

}  // namespace

Result<EventText> EventText::compile(std::string_view text,
                                     const std::map<std::string, std::string>& labels,
                                     EventTextScope scope) {
  EventText made;
  EH_TRY(each_expression(text, {[&](std::string_view part) {
                                  made.parts_.push_back({Kind::kText, std::string(part)});
                                },
                                [&](std::string_view space, std::string_view value) {
                                  return made.add(space, value, labels, scope);
                                }}));
  return made;
}

Status EventText::add(std::string_view space, std::string_view value,
                      const std::map<std::string, std::string>& labels, EventTextScope scope) {
  if (space == "label") {
    EH_ASSIGN(std::string label, label_of(labels, value));
    parts_.push_back({Kind::kText, std::move(label)});
    return {};
  }
  if (value.empty() || (space != "attribute" && space != "field"))
    return no_expression(space, value, kKnown, kSpaces);
  const bool attribute = space == "attribute";
  if (!(attribute ? scope.attributes : scope.fields))
    return fail(ErrorCode::kInvalid, "!{{{}:{}}} {}", space, value,
                attribute ? "does not go with format = \"raw\": its lines share what the request "
                            "says of them"
                          : "goes with format = \"json\"");
  parts_.push_back({attribute ? Kind::kAttribute : Kind::kField, std::string(value)});
  return {};
}

bool EventText::fixed() const {
  return std::ranges::all_of(parts_, [](const Part& part) { return part.kind == Kind::kText; });
}

std::string EventText::text(const Record& record, const JsonLine* json) const {
  std::string out;
  for (const Part& part : parts_) {
    if (part.kind == Kind::kText) out += part.text;
    if (part.kind == Kind::kField && json != nullptr) out += json->text(part.text).value_or("");
    if (part.kind != Kind::kAttribute) continue;
    const auto found = std::ranges::find(record.attributes, part.text, &Attribute::name);
    if (found != record.attributes.end()) out += found->value;
  }
  return out;
}

}  // namespace edgehose
