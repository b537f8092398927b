// EventText: what an event says of its host, source, sourcetype or index: a text of the config
// whose expressions are filled for each record.
//
//   gw-!{label:site}      a label of the agent's
//   !{attribute:unit}     an attribute of the record; empty where it has none
//   !{field:app.name}     a member of the line's own JSON; empty where it is no JSON or has none
//
// Threading: const after construction.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "buffer/record.h"
#include "sinks/events/json_line.h"

namespace edgehose {

// What a text may be filled from, beside labels.
struct EventTextScope {
  bool attributes = true;
  bool fields = false;  // of lines that are JSON
};

class EventText {
 public:
  EventText() = default;
  // The error says what is no expression, or does not go here.
  static Result<EventText> compile(std::string_view text,
                                   const std::map<std::string, std::string>& labels,
                                   EventTextScope scope);

  // Whether it is the same for every record; then it is text({}, nullptr).
  bool fixed() const;
  // `json`: the record's line; null: it is no JSON object.
  std::string text(const Record& record, const JsonLine* json) const;

 private:
  enum class Kind { kText, kAttribute, kField };
  struct Part {
    Kind kind;
    std::string text;  // or the name
  };
  Status add(std::string_view space, std::string_view value,
             const std::map<std::string, std::string>& labels, EventTextScope scope);

  std::vector<Part> parts_;
};

}  // namespace edgehose
