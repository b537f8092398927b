#include "sinks/events/event_time.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "agent/base/text.h"

namespace edgehose {
namespace {

using namespace std::chrono;

constexpr std::int64_t kNanos = 1'000'000'000;

// Nanoseconds in one of the unit that a number of this size is in.
std::int64_t unit_of(double number) {
  const double size = std::fabs(number);
  return size < 1e11 ? kNanos : size < 1e14 ? kNanos / 1'000 : size < 1e17 ? 1'000 : 1;
}

// Takes what it reads off the front of a text; goes bad where that is something else.
class Front {
 public:
  explicit Front(std::string_view text) : rest_(text) {}
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }
  int digits(std::size_t count) {
    int number = 0;
    for (; count > 0; --count) {
      const char c = next();
      good_ = good_ && c >= '0' && c <= '9';
      number = number * 10 + (c - '0');
    }
    return number;
  }
  bool one_of(std::string_view any) { return good_ = good_ && any.find(next()) != any.npos; }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // The digits behind a point, as nanoseconds; further ones are cut off.
  int fraction() {
    int nanos = 0, unit = kNanos / 10;
    std::size_t read = 0;
    for (; read < rest_.size() && rest_[read] >= '0' && rest_[read] <= '9'; ++read, unit /= 10)
      nanos += (rest_[read] - '0') * unit;
    good_ = good_ && read > 0;
    rest_.remove_prefix(read);
    return nanos;
  }

 private:
  char next() {
    if (rest_.empty()) {
      good_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  std::string_view rest_;
  bool good_ = true;
};

// "Z", "+01:00", "-0530"; none: UTC.
minutes offset(Front& front) {
  if (front.at_end() || front.skip('Z') || front.skip('z')) return minutes(0);
  const bool west = front.skip('-');
  if (!west) front.one_of("+");
  const hours of_hours(front.digits(2));
  front.skip(':');
  const minutes total = of_hours + minutes(front.digits(2));
  return west ? -total : total;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  Front front(text);
  const int y = front.digits(4);
  front.one_of("-");
  const int m = front.digits(2);
  front.one_of("-");
  const int d = front.digits(2);
  front.one_of("Tt ");
  const int hour = front.digits(2);
  front.one_of(":");
  const int minute = front.digits(2);
  front.one_of(":");
  const int second = front.digits(2);
  const int nanos = front.skip('.') || front.skip(',') ? front.fraction() : 0;
  const minutes east = offset(front);
  const year_month_day date{year(y), month(static_cast<unsigned>(m)),
                            day(static_cast<unsigned>(d))};
  if (!front.good() || !front.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  constexpr int kFirstYear = 1678, kLastYear = 2261;  // that nanoseconds in 64 bits reach
  if (y < kFirstYear || y > kLastYear) return std::nullopt;
  const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - east;
  return WallTime(nanoseconds(at.time_since_epoch()).count() + nanos);
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
  return parse_rfc3339(text);
}

}  // namespace edgehose
