#include "sinks/aws/time.h"

#include <fmt/format.h>

#include <chrono>

#include "agent/base/rfc3339.h"

namespace edgehose::aws {

using namespace std::chrono;

std::string basic_time(WallTime time) {
  const sys_seconds at{floor<seconds>(nanoseconds(time.value))};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<WallTime> parse_time(std::string_view text) {
  const auto time = parse_rfc3339(text, Offset::kNeeded);
  if (!time || time->value < 0) return std::nullopt;
  return WallTime(floor<seconds>(nanoseconds(time->value)) / nanoseconds(1));
}

}  // namespace edgehose::aws
