// Patterns of java.time.format.DateTimeFormatter, formatting only, in English:
//   y u year   Y week-year   M L month   d day   D day of year   Q q quarter   w week   W week of
//   month E day name   e c day of week   a AM/PM   H k h K hour   m minute   s second   S fraction
//   n nanosecond   A N milli-, nanosecond of day   G era   V z zone   X x Z O offset
//   'text' literal   '' a quote   [ ] optional sections: written
// Weeks are ISO 8601: they begin on Monday, the first has four days of the year at least.
//
// Compiled once, pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "sinks/object/time_zone.h"

namespace edgehose {

class DatePattern {
 public:
  // Errors name the letter and, for strftime's (%Y), the right spelling. Warnings: Y and D, where
  // y and d were probably meant.
  static Result<DatePattern> compile(std::string_view pattern, std::vector<std::string>& warnings);
  std::string format(WallTime time, const TimeZone& zone) const;

 private:
  struct Field {
    char letter = 0;  // 0: literal text
    unsigned count = 0;
    std::string text;
  };
  Status add_field(char letter, unsigned count);
  void warn(std::string_view pattern, std::vector<std::string>& warnings) const;

  std::vector<Field> fields_;
};

// What stands for a strftime conversion ("yyyy" for 'Y'); empty where there is none.
std::string_view java_spelling(char strftime_letter);

}  // namespace edgehose
