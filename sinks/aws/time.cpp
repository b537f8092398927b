#include "sinks/aws/time.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>

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

namespace {

// Takes digits and fixed characters off the front of a text; goes bad at what does not fit.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  int number(std::size_t digits) {
    int value = 0;
    if (rest_.size() < digits) ok_ = false;
    for (std::size_t i = 0; ok_ && i < digits; ++i) {
      ok_ = is_digit(rest_[i]);
      value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(digits);
    return value;
  }
  bool accept(std::string_view any_of) {
    if (!ok_ || rest_.empty() || any_of.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any_of) { ok_ = accept(any_of) && ok_; }
  void skip_digits() {
    while (!rest_.empty() && is_digit(rest_[0])) rest_.remove_prefix(1);
  }
  bool next_is(char c) const { return !rest_.empty() && rest_[0] == c; }
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
  bool ok_ = true;
};

minutes parse_zone(Scanner& scan) {
  if (scan.accept("Zz")) return minutes(0);
  const bool west = scan.next_is('-');
  scan.expect("+-");
  const int hour = scan.number(2);
  scan.accept(":");
  const minutes offset(hour * 60 + scan.number(2));
  return west ? -offset : offset;
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text) {
  Scanner scan(text);
  const int y = scan.number(4);
  scan.expect("-");
  const int m = scan.number(2);
  scan.expect("-");
  const int d = scan.number(2);
  scan.expect("Tt ");
  const int hour = scan.number(2);
  scan.expect(":");
  const int minute = scan.number(2);
  scan.expect(":");
  const int second = scan.number(2);
  if (scan.accept(".")) scan.skip_digits();
  const minutes zone = parse_zone(scan);
  const year_month_day date(year(y), month(static_cast<unsigned>(m)),
                            day(static_cast<unsigned>(d)));
  if (!scan.complete() || !date.ok() || y < 1970 || y > 2261 || hour > 23 || minute > 59 ||
      second > 60)
    return std::nullopt;
  const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - zone;
  return WallTime(nanoseconds(at.time_since_epoch()).count());
}

}  // namespace edgehose::aws
