#include "sinks/object/date_pattern.h"

#include <chrono>

namespace edgehose {
namespace {

constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
constexpr std::string_view kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};
constexpr std::string_view kQuarters[] = {"1st quarter", "2nd quarter", "3rd quarter",
                                          "4th quarter"};

struct MaxCount {
  char letter;
  unsigned max;
};
// How often a letter may stand, as DateTimeFormatterBuilder.appendPattern has it.
constexpr MaxCount kLetters[] = {
    {'y', 19}, {'u', 19}, {'Y', 19}, {'M', 5}, {'L', 5}, {'d', 2}, {'D', 3},  {'Q', 4},
    {'q', 4},  {'w', 2},  {'W', 1},  {'E', 5}, {'e', 5}, {'c', 5}, {'a', 1},  {'H', 2},
    {'k', 2},  {'h', 2},  {'K', 2},  {'m', 2}, {'s', 2}, {'S', 9}, {'n', 19}, {'A', 19},
    {'N', 19}, {'G', 3},  {'V', 2},  {'z', 3}, {'X', 5}, {'x', 5}, {'Z', 5},  {'O', 4}};

// An instant in a zone, taken apart.
struct Local {
  int year;
  unsigned month, day, day_of_year, weekday;  // weekday 1 Monday to 7 Sunday
  int week_year;
  unsigned week, week_of_month;
  std::uint64_t second_of_day, nano;
  TimeZone::Type zone;
};

// ISO week of a day given by its number in the year (1-based) and its weekday.
void set_week(Local& l, const std::chrono::year_month_day& date) {
  using namespace std::chrono;
  // The week belongs to the year that its Thursday is in.
  const sys_days thursday = sys_days(date) + days(4 - static_cast<int>(l.weekday));
  const year_month_day in(thursday);
  l.week_year = static_cast<int>(in.year());
  l.week = static_cast<unsigned>((thursday - sys_days(in.year() / January / 1)).count() / 7 + 1);
  const auto days_in = static_cast<int>(l.day) - static_cast<int>(l.weekday) + 4;
  l.week_of_month = days_in < 1 ? 0 : static_cast<unsigned>((days_in - 1) / 7 + 1);
}

Local take_apart(WallTime time, const TimeZone& zone) {
  using namespace std::chrono;
  const sys_time<nanoseconds> utc{nanoseconds(time.value)};
  Local l{};
  l.zone = zone.at(floor<seconds>(utc).time_since_epoch().count());
  const auto local = utc + seconds(l.zone.offset);
  const auto midnight = floor<days>(local);
  const year_month_day date(midnight);
  l.year = static_cast<int>(date.year());
  l.month = static_cast<unsigned>(date.month());
  l.day = static_cast<unsigned>(date.day());
  l.weekday = weekday(midnight).iso_encoding();
  l.day_of_year =
      static_cast<unsigned>((midnight - sys_days(date.year() / January / 1)).count() + 1);
  const auto since_midnight = local - midnight;
  l.second_of_day = static_cast<std::uint64_t>(floor<seconds>(since_midnight).count());
  l.nano = static_cast<std::uint64_t>((since_midnight % seconds(1)).count());
  set_week(l, date);
  return l;
}

std::string padded(std::uint64_t value, unsigned width) {
  return fmt::format("{:0{}}", value, width);
}

std::string year_text(int year, unsigned count) {
  if (count == 2) return padded(static_cast<unsigned>((year % 100 + 100) % 100), 2);
  return fmt::format("{:0{}}", year, count);
}

// Number for one or two letters, then short, full and narrow text.
std::string name_text(std::string_view name, std::uint64_t number, unsigned count) {
  if (count <= 2) return padded(number, count);
  if (count == 3) return std::string(name.substr(0, 3));
  return std::string(count == 4 ? name : name.substr(0, 1));
}

// +HH, +HHMM, +HH:MM and with seconds where they are not 0, as the counts 1 to 5 of X have it.
std::string offset_text(std::int32_t offset, unsigned count) {
  const auto o = static_cast<unsigned>(offset < 0 ? -offset : offset);
  const unsigned hours = o / 3600, minutes = o / 60 % 60, rest = o % 60;
  const char* const colon = count == 3 || count == 5 ? ":" : "";
  std::string text = fmt::format("{}{:02}", offset < 0 ? '-' : '+', hours);
  if (count > 1 || minutes != 0) text += fmt::format("{}{:02}", colon, minutes);
  if (count > 3 && rest != 0) text += fmt::format("{}{:02}", colon, rest);
  return text;
}

std::string gmt_text(std::int32_t offset, bool full) {
  if (offset == 0) return "GMT";
  if (full) return "GMT" + offset_text(offset, 3);
  const int hours = (offset < 0 ? -offset : offset) / 3600;
  const int minutes = (offset < 0 ? -offset : offset) / 60 % 60;
  return fmt::format("GMT{}{}{}", offset < 0 ? '-' : '+', hours,
                     minutes ? fmt::format(":{:02}", minutes) : "");
}

std::string zone_text(char letter, unsigned count, const Local& l, const TimeZone& zone) {
  switch (letter) {
    case 'V': return zone.name();
    case 'z': return l.zone.abbreviation;
    case 'O': return gmt_text(l.zone.offset, count == 4);
    case 'X': return l.zone.offset == 0 ? "Z" : offset_text(l.zone.offset, count);
    case 'x': return offset_text(l.zone.offset, count);
    default: break;
  }
  if (count <= 3) return offset_text(l.zone.offset, 2);  // Z
  if (count == 4) return gmt_text(l.zone.offset, true);
  return l.zone.offset == 0 ? "Z" : offset_text(l.zone.offset, 5);
}

std::string time_text(char letter, unsigned count, const Local& l) {
  const std::uint64_t hour = l.second_of_day / 3600;
  switch (letter) {
    case 'a': return hour < 12 ? "AM" : "PM";
    case 'H': return padded(hour, count);
    case 'k': return padded(hour == 0 ? 24 : hour, count);
    case 'K': return padded(hour % 12, count);
    case 'h': return padded(hour % 12 == 0 ? 12 : hour % 12, count);
    case 'm': return padded(l.second_of_day / 60 % 60, count);
    case 's': return padded(l.second_of_day % 60, count);
    case 'S': return padded(l.nano, 9).substr(0, count);
    case 'n': return padded(l.nano, count);
    case 'A': return padded(l.second_of_day * 1000 + l.nano / 1'000'000, count);
    default: return padded(l.second_of_day * 1'000'000'000 + l.nano, count);  // N
  }
}

std::string field_text(char letter, unsigned count, const Local& l, const TimeZone& zone) {
  switch (letter) {
    case 'y': return year_text(l.year > 0 ? l.year : 1 - l.year, count);  // of the era
    case 'u': return year_text(l.year, count);
    case 'Y': return year_text(l.week_year, count);
    case 'M':
    case 'L': return name_text(kMonths[l.month - 1], l.month, count);
    case 'd': return padded(l.day, count);
    case 'D': return padded(l.day_of_year, count);
    case 'w': return padded(l.week, count);
    case 'W': return padded(l.week_of_month, count);
    case 'E': return name_text(kDays[l.weekday - 1], 0, count < 3 ? 3 : count);
    case 'e':
    case 'c': return name_text(kDays[l.weekday - 1], l.weekday, count);
    case 'G': return l.year > 0 ? "AD" : "BC";
    case 'Q':
    case 'q': {
      const unsigned quarter = (l.month - 1) / 3 + 1;
      if (count == 3) return fmt::format("Q{}", quarter);
      return count == 4 ? std::string(kQuarters[quarter - 1]) : padded(quarter, count);
    }
    case 'V':
    case 'z':
    case 'O':
    case 'X':
    case 'x':
    case 'Z': return zone_text(letter, count, l, zone);
    default: return time_text(letter, count, l);
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string_view java_spelling(char strftime_letter) {
  switch (strftime_letter) {
    case 'Y': return "yyyy";
    case 'y': return "yy";
    case 'm': return "MM";
    case 'd': return "dd";
    case 'H': return "HH";
    case 'I': return "hh";
    case 'M': return "mm";
    case 'S': return "ss";
    case 'j': return "DDD";
    case 'b': return "MMM";
    case 'B': return "MMMM";
    case 'a': return "EEE";
    case 'A': return "EEEE";
    case 'p': return "a";
    case 'F': return "yyyy-MM-dd";
    case 'T': return "HH:mm:ss";
    case 'G': return "YYYY";
    case 'V': return "ww";
    case 'z': return "xx";
    case 'Z': return "VV";
    default: return "";
  }
}

Status DatePattern::add_field(char letter, unsigned count) {
  for (const MaxCount& known : kLetters) {
    if (known.letter != letter) continue;
    const bool odd = (letter == 'V' && count != 2) || (letter == 'O' && count != 1 && count != 4) ||
                     (letter == 'c' && count == 2);
    if (count > known.max || odd)
      return fail(ErrorCode::kInvalid, "the letter {} cannot stand {} times in a date pattern",
                  letter, count);
    fields_.push_back({letter, count, {}});
    return {};
  }
  return fail(ErrorCode::kInvalid,
              "the letter {} means nothing in a date pattern: put text in single quotes ('{}'); "
              "yyyy, MM, dd, HH, mm and ss are the usual ones",
              letter, letter);
}

Result<DatePattern> DatePattern::compile(std::string_view pattern,
                                         std::vector<std::string>& warnings) {
  DatePattern made;
  if (pattern.empty()) return fail(ErrorCode::kInvalid, "the date pattern is empty");
  const auto literal = [&](std::string_view text) {
    made.fields_.push_back({0, 0, std::string(text)});
  };
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (is_letter(c)) {
      std::size_t end = pattern.find_first_not_of(c, at);
      if (end == std::string_view::npos) end = pattern.size();
      EH_TRY(made.add_field(c, static_cast<unsigned>(end - at)));
      at = end;
    } else if (c == '\'') {
      std::string text;
      for (++at;; ++at) {
        if (at >= pattern.size())
          return fail(ErrorCode::kInvalid, "a single quote is not closed in the date pattern");
        if (pattern[at] != '\'')
          text.push_back(pattern[at]);
        else if (at + 1 < pattern.size() && pattern[at + 1] == '\'')
          text.push_back(pattern[at++]);
        else
          break;
      }
      literal(text.empty() ? "'" : std::string_view(text));
      ++at;
    } else if (c == '%' && at + 1 < pattern.size() && !java_spelling(pattern[at + 1]).empty()) {
      return fail(ErrorCode::kInvalid, "%{} is strftime's spelling: write {} here", pattern[at + 1],
                  java_spelling(pattern[at + 1]));
    } else if (c == '{' || c == '}' || c == '#') {
      return fail(ErrorCode::kInvalid,
                  "the character {} is reserved in a date pattern: quote it ('{}')", c, c);
    } else {
      if (c != '[' && c != ']') literal(pattern.substr(at, 1));
      ++at;
    }
  }
  made.warn(pattern, warnings);
  return made;
}

void DatePattern::warn(std::string_view pattern, std::vector<std::string>& warnings) const {
  bool week = false;
  for (const Field& field : fields_) week |= field.letter == 'w';
  for (const Field& field : fields_) {
    if (field.letter == 'Y' && !week)
      warnings.push_back(fmt::format(
          "the date pattern \"{}\" has {}, the year that the week belongs to, which differs from the "
          "calendar year around New Year: probably {} is meant",
          pattern, std::string(field.count, 'Y'), std::string(field.count, 'y')));
    if (field.letter == 'D' && field.count < 3)
      warnings.push_back(fmt::format(
          "the date pattern \"{}\" has {}, the day of the year (1 to 366): probably {} is meant",
          pattern, std::string(field.count, 'D'), std::string(field.count, 'd')));
  }
}

std::string DatePattern::format(WallTime time, const TimeZone& zone) const {
  const Local local = take_apart(time, zone);
  std::string text;
  for (const Field& field : fields_)
    text += field.letter == 0 ? field.text : field_text(field.letter, field.count, local, zone);
  return text;
}

}  // namespace edgehose
