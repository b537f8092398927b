// Text for people: sizes, durations, times; hexadecimal; the nearest name for an unknown one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view hex);

// Decimal digits alone: no sign, no blank. None also where it overflows.
std::optional<std::uint64_t> parse_number(std::string_view text);
// "8MiB", "512KiB", "1.5GiB", "100MB", "4096" (bytes). None where it is not a size or overflows.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "5m", "250ms", "1h30m", "7d". A bare number is refused: the unit is asked for.
std::optional<Duration> parse_duration(std::string_view text);

std::string format_size(std::uint64_t bytes);    // "8.0 MiB", exact multiples "8 MiB"
std::string format_duration(Duration duration);  // "5 m", "1 h 30 m", two units at most
std::string format_wall(WallTime time);          // "2026-11-23T01:24:00Z"
std::string format_wall_ms(WallTime time);       // "2026-11-23T01:24:00.123Z"
std::string format_count(std::uint64_t n);       // "1,234,567"
// "1 record", "1,234 records"; `many` where it is not `one` and an s.
std::string format_count(std::uint64_t n, std::string_view one, std::string_view many = {});

// The candidate with the smallest edit distance, if it is near enough to be meant.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

// Without white space (blanks, tabs, ends of lines) around it.
std::string_view trimmed(std::string_view text);
bool blank(std::string_view text);  // nothing but white space

// A glob that matches this text alone: its wildcards are escaped.
std::string quote_glob(std::string_view text);

}  // namespace edgehose
