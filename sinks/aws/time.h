// Times as AWS writes them.
//
// Threading: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose::aws {

// "20150830T123600Z": X-Amz-Date. Its first eight digits are the day of a signing key.
std::string basic_time(WallTime time);

// "2021-09-22T00:35:06Z", "...06.123Z", "...06+02:00": when credentials expire. Years 1970 to 2261.
std::optional<WallTime> parse_time(std::string_view text);

}  // namespace edgehose::aws
