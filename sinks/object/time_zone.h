// A time zone by its IANA name, from the system's tzdata, without touching the process's TZ.
// Format: TZif (RFC 8536), its footer included, so that rules hold beyond the table's end.
//
// Threading: immutable after load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

class TimeZone {
 public:
  struct Type {
    std::int32_t offset = 0;  // seconds east of UTC
    std::string abbreviation;
  };

  // "UTC" needs no tzdata. kInvalid: not a zone's name, or not installed.
  static Result<TimeZone> load(std::string_view name);
  // From a TZif file's content.
  static Result<TimeZone> parse(std::string_view name, std::string_view tzif);

  const std::string& name() const { return name_; }
  Type at(std::int64_t unix_seconds) const;

  // The POSIX rule of a footer ("CET-1CEST,M3.5.0,M10.5.0/3"); public for its tests.
  struct Rule {
    struct Change {  // a day of the year and seconds into it
      enum class Kind { kMonthWeekDay, kJulian, kDayOfYear } kind = Kind::kMonthWeekDay;
      int month = 0, week = 0, day = 0;
      std::int32_t time = 7200;
    };
    Type standard, daylight;
    std::optional<std::pair<Change, Change>> changes;  // to daylight, to standard
  };

 private:
  std::string name_ = "UTC";
  std::vector<Type> types_;
  std::vector<std::int64_t> times_;  // ascending; from times_[i] on holds types_[indices_[i]]
  std::vector<std::uint8_t> indices_;
  std::optional<Rule> rule_;
};

}  // namespace edgehose
