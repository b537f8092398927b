#include "sinks/http/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace edgehose {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t kLongestWait = 7 * 86'400;  // seconds; more is no wish but a mistake

// Seconds as the header has them; more than any wish where they are more than a number holds.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  std::int64_t seconds = kLongestWait;
  std::from_chars(text.data(), text.data() + text.size(), seconds);  // unchanged, out of range
  return seconds;
}

std::optional<int> digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text[0] == '-' || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  // 0         1         2
  // 01234567890123456789012345678
  // Sun, 06 Nov 1994 08:49:37 GMT
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[19] != ':' || text[22] != ':')
    return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = digits(text.substr(5, 2)), year = digits(text.substr(12, 4));
  const auto hour = digits(text.substr(17, 2)), minute = digits(text.substr(20, 2)),
             second = digits(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds in 64 bits end in 2262.
  if (!date.ok() || *year < 1970 || *year > 2261 || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const auto at = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                  std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  return WallTime(std::chrono::nanoseconds(at.time_since_epoch()).count());
}

std::optional<Duration> retry_after(const HttpResponse& response) {
  const std::string* text = response.header("retry-after");
  if (text == nullptr) return std::nullopt;
  std::int64_t wait = 0;
  if (const auto seconds = seconds_of(*text)) {
    wait = *seconds;
  } else {
    const std::string* date = response.header("date");
    const auto until = parse_http_date(*text);
    const auto now = date ? parse_http_date(*date) : std::nullopt;
    if (!until || !now) return std::nullopt;
    wait = (until->value - now->value) / 1'000'000'000;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(wait, 0, kLongestWait));
}

}  // namespace edgehose
