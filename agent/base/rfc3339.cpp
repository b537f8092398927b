#include "agent/base/rfc3339.h"

#include <chrono>
#include <cstdint>

namespace edgehose {
namespace {

using namespace std::chrono;

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
    int nanos = 0, unit = 100'000'000;
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

// "Z", "+01:00", "-0530".
minutes read_offset(Front& front) {
  if (front.skip('Z') || front.skip('z')) return minutes(0);
  const bool west = front.skip('-');
  if (!west) front.one_of("+");
  const hours of_hours(front.digits(2));
  front.skip(':');
  const minutes total = of_hours + minutes(front.digits(2));
  return west ? -total : total;
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text, Offset offset) {
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
  const bool silent = offset == Offset::kUtcWithout && front.at_end();
  const minutes east = silent ? minutes(0) : read_offset(front);
  const year_month_day date{year(y), month(static_cast<unsigned>(m)),
                            day(static_cast<unsigned>(d))};
  if (!front.good() || !front.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  constexpr int kFirstYear = 1678, kLastYear = 2261;
  if (y < kFirstYear || y > kLastYear) return std::nullopt;
  const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - east;
  return WallTime(nanoseconds(at.time_since_epoch()).count() + nanos);
}

}  // namespace edgehose
