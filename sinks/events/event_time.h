// The time that an event says of itself. Pure.
//
//   RFC 3339     2026-11-23T01:24:00.123456789Z, any offset; also with a blank for the T, and
//                without an offset: UTC
//   since 1970   seconds, milli-, micro- or nanoseconds, told apart by their size: seconds below
//                1e11 (the year 5138), milliseconds below 1e14, microseconds below 1e17
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

// None: it is no time, or one before 1677 or after 2262.
std::optional<WallTime> parse_event_time(std::string_view text);
std::optional<WallTime> event_time(std::int64_t since_1970);
std::optional<WallTime> event_time(double since_1970);

}  // namespace edgehose
