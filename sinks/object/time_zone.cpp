#include "sinks/object/time_zone.h"

#include <algorithm>
#include <chrono>

#include "agent/base/bytes.h"
#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxFileBytes = 256 * 1024;
constexpr std::int64_t kDay = 86400;

bool is_zone_name(std::string_view name) {
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' &&
         std::ranges::all_of(name, legal);
}

// --- the footer's POSIX rule ---------------------------------------------------------------------

class RuleParser {
 public:
  explicit RuleParser(std::string_view text) : rest_(text) {}

  std::optional<TimeZone::Rule> parse() {
    TimeZone::Rule rule;
    rule.standard.abbreviation = abbreviation();
    rule.standard.offset = -time();
    if (rest_.empty()) return done(rule);
    rule.daylight.abbreviation = abbreviation();
    rule.daylight.offset = rule.standard.offset + 3600;
    if (!rest_.empty() && rest_.front() != ',') rule.daylight.offset = -time();
    const auto begin = change();
    const auto end = change();
    rule.changes = {begin, end};
    return done(rule);
  }

 private:
  std::optional<TimeZone::Rule> done(const TimeZone::Rule& rule) const {
    if (!ok_ || !rest_.empty()) return std::nullopt;
    return rule;
  }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string abbreviation() {
    const bool quoted = skip('<');
    const auto inside = [&](char c) {
      return quoted ? c != '>' : (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    const auto end = std::ranges::find_if_not(rest_, inside);
    std::string name(rest_.begin(), end);
    rest_.remove_prefix(name.size());
    if (name.empty() || (quoted && !skip('>'))) ok_ = false;
    return name;
  }

  int number() {
    int n = 0, digits = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9' && digits < 4; ++digits) {
      n = n * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (digits == 0) ok_ = false;
    return n;
  }

  // [+-]hh[:mm[:ss]]
  std::int32_t time() {
    const bool negative = skip('-');
    if (!negative) skip('+');
    std::int32_t seconds = number() * 3600;
    if (skip(':')) seconds += number() * 60;
    if (skip(':')) seconds += number();
    return negative ? -seconds : seconds;
  }

  TimeZone::Rule::Change change() {
    using Change = TimeZone::Rule::Change;
    Change change;
    if (!skip(',')) ok_ = false;
    if (skip('M')) {
      change.month = number();
      if (!skip('.')) ok_ = false;
      change.week = number();
      if (!skip('.')) ok_ = false;
      change.day = number();
      if (change.month < 1 || change.month > 12 || change.week < 1 || change.week > 5 ||
          change.day > 6)
        ok_ = false;
    } else {
      change.kind = skip('J') ? Change::Kind::kJulian : Change::Kind::kDayOfYear;
      change.day = number();
    }
    if (skip('/')) change.time = time();
    return change;
  }

  std::string_view rest_;
  bool ok_ = true;
};

// When the change happens in `year`, as local seconds since 1970.
std::int64_t local_time_of(const TimeZone::Rule::Change& change, std::chrono::year year) {
  using namespace std::chrono;
  using Kind = TimeZone::Rule::Change::Kind;
  sys_days day;
  if (change.kind == Kind::kMonthWeekDay) {
    const month m(static_cast<unsigned>(change.month));
    const weekday w(static_cast<unsigned>(change.day));
    day = change.week == 5 ? sys_days(year / m / w[last])
                           : sys_days(year / m / w[static_cast<unsigned>(change.week)]);
  } else {
    const bool after_leap_day = change.kind == Kind::kJulian && year.is_leap() && change.day >= 60;
    const int offset =
        change.kind == Kind::kJulian ? change.day - 1 + (after_leap_day ? 1 : 0) : change.day;
    day = sys_days(year / January / 1) + days(offset);
  }
  return day.time_since_epoch().count() * kDay + change.time;
}

const TimeZone::Type& type_by_rule(const TimeZone::Rule& rule, std::int64_t unix_seconds) {
  using namespace std::chrono;
  if (!rule.changes) return rule.standard;
  const auto local_day = floor<days>(sys_seconds(seconds(unix_seconds + rule.standard.offset)));
  const year year = year_month_day(local_day).year();
  const std::int64_t begin = local_time_of(rule.changes->first, year) - rule.standard.offset;
  const std::int64_t end = local_time_of(rule.changes->second, year) - rule.daylight.offset;
  // South of the equator daylight time spans the new year.
  const bool daylight = begin < end ? unix_seconds >= begin && unix_seconds < end
                                    : unix_seconds >= begin || unix_seconds < end;
  return daylight ? rule.daylight : rule.standard;
}

// --- TZif ----------------------------------------------------------------------------------------

struct Counts {
  std::uint32_t utc, standard, leaps, times, types, letters;
};

Counts read_counts(ByteReader& in) {
  Counts c{};
  c.utc = in.be<std::uint32_t>();
  c.standard = in.be<std::uint32_t>();
  c.leaps = in.be<std::uint32_t>();
  c.times = in.be<std::uint32_t>();
  c.types = in.be<std::uint32_t>();
  c.letters = in.be<std::uint32_t>();
  return c;
}

std::uint64_t data_size(const Counts& c, unsigned time_size) {
  return std::uint64_t{c.times} * (time_size + 1) + std::uint64_t{c.types} * 6 + c.letters +
         std::uint64_t{c.leaps} * (time_size + 4) + c.standard + c.utc;
}

}  // namespace

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (name == "UTC" || name == "Z") {
    TimeZone utc;
    utc.types_.push_back({0, "UTC"});
    return utc;
  }
  if (!is_zone_name(name))
    return fail(ErrorCode::kInvalid,
                "\"{}\" is not the name of a time zone: use one like \"Europe/Berlin\" or \"UTC\"",
                name.substr(0, 64));
  auto file = read_file("/usr/share/zoneinfo/" + std::string(name), kMaxFileBytes);
  if (!file)
    return fail(ErrorCode::kInvalid,
                "time zone \"{}\" is not in this system's tzdata: check the spelling (\"Europe/"
                "Berlin\", \"UTC\") or install the package tzdata",
                name);
  return parse(name, *file);
}

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view tzif) {
  const auto damaged = [&] {
    return fail(ErrorCode::kCorrupt, "the tzdata of time zone \"{}\" are damaged", name);
  };
  ByteReader in(tzif);
  const auto read_header = [&] {
    const bool magic = in.take(4) == "TZif";
    const char version = magic ? in.take(16).substr(0, 1).empty() ? '\0' : tzif[4] : '\0';
    return magic && version >= '2';
  };
  // The first block has 32-bit times, for readers of old; the second is the one to read.
  if (!read_header()) return damaged();
  const Counts first = read_counts(in);
  in.take(data_size(first, 4));
  if (!read_header()) return damaged();
  const Counts counts = read_counts(in);
  ByteReader data(in.take(data_size(counts, 8)));
  if (!in.ok() || counts.types == 0 || counts.types > 256) return damaged();

  TimeZone zone;
  zone.name_ = name;
  for (std::uint32_t i = 0; i < counts.times; ++i) zone.times_.push_back(data.be<std::int64_t>());
  for (std::uint32_t i = 0; i < counts.times; ++i) zone.indices_.push_back(data.be<std::uint8_t>());
  std::vector<std::uint8_t> name_at;
  for (std::uint32_t i = 0; i < counts.types; ++i) {
    zone.types_.push_back({data.be<std::int32_t>(), {}});
    data.take(1);
    name_at.push_back(data.be<std::uint8_t>());
  }
  const std::string_view letters = data.take(counts.letters);
  for (std::uint32_t i = 0; i < counts.types; ++i) {
    if (name_at[i] >= letters.size()) return damaged();
    const std::string_view from = letters.substr(name_at[i]);
    zone.types_[i].abbreviation = from.substr(0, from.find('\0'));
  }
  const auto known = [&](std::uint8_t i) { return i < counts.types; };
  if (!data.ok() || !std::ranges::all_of(zone.indices_, known) ||
      !std::ranges::is_sorted(zone.times_))
    return damaged();

  std::string_view footer = in.rest();
  if (footer.size() >= 2 && footer.front() == '\n' && footer.back() == '\n')
    zone.rule_ = RuleParser(footer.substr(1, footer.size() - 2)).parse();
  return zone;
}

TimeZone::Type TimeZone::at(std::int64_t unix_seconds) const {
  const auto next = std::ranges::upper_bound(times_, unix_seconds);
  if (next == times_.end() && rule_) return type_by_rule(*rule_, unix_seconds);
  if (next == times_.begin()) return types_.front();
  return types_[indices_[static_cast<std::size_t>(next - times_.begin()) - 1]];
}

}  // namespace edgehose
