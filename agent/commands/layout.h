// Text laid out for a terminal of 80 columns.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

constexpr std::size_t kColumns = 80;

// `text` broken at spaces, and words longer than a line at '/' or anywhere, so that every line ends
// before column 80 (bytes, so earlier where characters have several); each line but the first,
// which starts where it stands (at column `indent`), begins with `indent` spaces. Ends in a line
// feed.
std::string wrapped(std::string_view text, std::size_t indent);

// Without what could move the cursor: control characters become '?'. For words of others (servers,
// file names) on a terminal.
std::string printable(std::string_view text);

// At most `width` characters; a longer one ends in '~'.
std::string clipped(std::string_view text, std::size_t width);

// In whole seconds below a day, whole hours above: "12 s", "3 d 4 h".
std::string rough_duration(Duration duration);

// Colours are for a terminal whose user did not say NO_COLOR (any value but empty).
bool wants_colour(std::FILE* out);

}  // namespace edgehose
