// The agent's own log: lines on standard error, for the journal. Bounded: at most kLinesPerMinute
// a minute, half of them for what log_event.h is for; what is above is counted and told in one
// line. Never a secret, never record bytes.
//
// Threading: any thread. A line is one event, in plain words: what happened, to what, what to do.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace edgehose::log {

enum class Level { kTrace, kDebug, kInfo, kWarn, kError, kOff };

std::optional<Level> parse_level(std::string_view name);

void set_level(Level level);
bool enabled(Level level);

// Prefixes each line with "<N>" (sd-daemon levels) when standard error is the journal's stream,
// else with the time and the level, broken before column 80 on a terminal.
void write(Level level, std::string_view message);

constexpr int kLinesPerMinute = 120;

template <class... Args>
void trace(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kTrace))
    write(Level::kTrace, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kDebug))
    write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kWarn)) write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kError))
    write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace edgehose::log
