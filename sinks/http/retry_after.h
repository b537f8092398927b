// Times as HTTP writes them: Date, and Retry-After in both its forms. Pure.
// Source: RFC 9110, sections 5.6.7 (dates) and 10.2.3 (Retry-After).
#pragma once

#include <optional>
#include <string_view>

#include "agent/base/types.h"
#include "sinks/http_message.h"

namespace edgehose {

// "Sun, 06 Nov 1994 08:49:37 GMT". The obsolete forms are not read, nor years before 1970 or after
// 2261.
std::optional<WallTime> parse_http_date(std::string_view text);

// How long the server asks to be left alone: seconds, or a date relative to the server's own Date,
// so that this machine's clock does not matter. None: it does not say, or not so that it can be
// read.
std::optional<Duration> retry_after(const HttpResponse& response);

}  // namespace edgehose
