// IndexName: where a record's document goes. A name may hold expressions, filled from the record's
// own time as the buffer holds it, in UTC, never from when it is sent: a retry meets the same
// index.
//
//   gateway-!{timestamp:yyyy.MM.dd}   a java.time.format.DateTimeFormatter pattern
//   gateway-!{label:site}             a label of the agent's
//   gateway, rotated by the week      gateway-2026-w48, as Amazon Data Firehose names them:
//                                     -2026-11-26-13, -2026-11-26, -2026-w48, -2026-11
//
// Threading: const after construction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "sinks/object/date_pattern.h"

namespace edgehose {

enum class IndexRotation { kNone, kHour, kDay, kWeek, kMonth };

class IndexName {
 public:
  using Labels = std::map<std::string, std::string>;

  // The error says what no index is called, and what to write instead. `warnings`: see DatePattern.
  static Result<IndexName> compile(std::string_view text, IndexRotation rotation,
                                   const Labels& labels, std::vector<std::string>& warnings);

  // The name where it is the same at all times.
  std::optional<std::string> fixed() const;
  std::string at(WallTime time) const;

 private:
  struct Part {
    std::string text;
    std::optional<DatePattern> pattern;  // in place of the text
  };
  Status add_expression(std::string_view space, std::string_view value, const Labels& labels,
                        std::vector<std::string>& warnings);
  Status add_pattern(std::string_view pattern, std::vector<std::string>& warnings);

  std::vector<Part> parts_;
};

// What is wrong with the name of an index or a data stream; or nothing.
std::string not_an_index(std::string_view name);

}  // namespace edgehose
