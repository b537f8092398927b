// Text laid out for a terminal of 80 columns (wrap.h breaks it into lines).
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "agent/base/types.h"
#include "agent/base/wrap.h"

namespace edgehose {

// At most `width` characters; a longer one ends in '~'.
std::string clipped(std::string_view text, std::size_t width);

// In whole seconds below a day, whole hours above: "12 s", "3 d 4 h".
std::string rough_duration(Duration duration);

// Colours are for a terminal whose user did not say NO_COLOR (any value but empty).
bool wants_colour(std::FILE* out);

}  // namespace edgehose
