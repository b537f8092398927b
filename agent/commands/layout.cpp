#include "agent/commands/layout.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "agent/base/text.h"

namespace edgehose {

namespace {

// At most `width` bytes, no character cut in two.
std::size_t whole_characters(std::string_view text, std::size_t width) {
  if (text.size() <= width) return text.size();
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end > 0 ? end : width;
}

// Where a word of more than `width` bytes is broken: after a path's last '/' that fits.
std::size_t break_of(std::string_view word, std::size_t width) {
  const std::size_t slash = word.substr(0, width).rfind('/');
  if (slash != std::string_view::npos && slash > 0) return slash + 1;
  return whole_characters(word, width);
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  const std::size_t width = kColumns - 1 - indent;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    if (column > indent && column + 1 + word.size() >= kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    while (word.size() > width) {
      const std::size_t part = break_of(word, width);
      out.append(word.substr(0, part)) += "\n" + std::string(indent, ' ');
      word.remove_prefix(part);
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out + "\n";
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return out;
}

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
