#include "sinks/events/event_time.h"

#include <charconv>
#include <cmath>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr std::int64_t kNanos = 1'000'000'000;

// Nanoseconds in one of the unit that a number of this size is in.
std::int64_t unit_of(double number) {
  const double size = std::fabs(number);
  return size < 1e11 ? kNanos : size < 1e14 ? kNanos / 1'000 : size < 1e17 ? 1'000 : 1;
}

}  // namespace

std::optional<WallTime> event_time(std::int64_t since_1970) {
  std::int64_t nanos = 0;
  if (__builtin_mul_overflow(since_1970, unit_of(static_cast<double>(since_1970)), &nanos))
    return std::nullopt;
  return WallTime(nanos);
}

std::optional<WallTime> event_time(double since_1970) {
  const double nanos = since_1970 * static_cast<double>(unit_of(since_1970));
  constexpr double kMost = 9.2e18;
  if (!std::isfinite(nanos) || std::fabs(nanos) > kMost) return std::nullopt;
  return WallTime(static_cast<std::int64_t>(nanos));
}

std::optional<WallTime> parse_event_time(std::string_view text) {
  text = trimmed(text);
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end)
    return event_time(whole);
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end)
    return event_time(number);
  return parse_rfc3339(text, Offset::kUtcWithout);
}

}  // namespace edgehose
