#include "agent/commands/layout.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "agent/base/text.h"

namespace edgehose {

std::string clipped(std::string_view text, std::size_t width) {
  if (text.size() <= width) return std::string(text);
  return std::string(text.substr(0, whole_characters(text, width - 1))) + "~";
}

std::string rough_duration(Duration duration) {
  using namespace std::chrono;
  if (duration >= days(1)) return format_duration(duration_cast<hours>(duration));
  return format_duration(duration_cast<seconds>(duration));
}

bool wants_colour(std::FILE* out) {
  const char* refused = std::getenv("NO_COLOR");
  if (refused != nullptr && *refused != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
  return ::isatty(::fileno(out)) == 1;
}

}  // namespace edgehose
