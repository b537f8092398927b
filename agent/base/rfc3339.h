// A time as RFC 3339 writes it: "2026-11-23T01:24:00.123456789Z".
//
// Threading: pure.
#pragma once

#include <optional>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

// Whether a time has to say how far from UTC it is.
enum class Offset { kNeeded, kUtcWithout };

// A blank may stand for the T, a comma for the point, "+0100" for "+01:00"; what is finer than a
// nanosecond is cut off, a leap second is the next one. None: it is no such time, or not of the
// years 1678 to 2261, which 64 bits of nanoseconds reach.
std::optional<WallTime> parse_rfc3339(std::string_view text, Offset offset);

}  // namespace edgehose
