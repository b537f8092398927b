#include "agent/base/wrap.h"

#include <algorithm>

namespace edgehose {

std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(out[k]); };
    if (at(i) < 0x20 || at(i) == 0x7F) out[i] = '?';
    // U+0080 to U+009F are control characters, too.
    if (at(i) == 0xC2 && i + 1 < out.size() && at(i + 1) >= 0x80 && at(i + 1) < 0xA0)
      out.replace(i, 2, "?");
  }
  return out;
}

std::size_t whole_characters(std::string_view text, std::size_t width) {
  if (text.size() <= width) return text.size();
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end > 0 ? end : width;
}

namespace {

// Where a word of more than `width` bytes is broken: after a path's last '/' that fits.
std::size_t break_of(std::string_view word, std::size_t width) {
  const std::size_t slash = word.substr(0, width).rfind('/');
  if (slash != std::string_view::npos && slash > 0) return slash + 1;
  return whole_characters(word, width);
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, LongWords long_words) {
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
    while (long_words == LongWords::kBroken && word.size() > width) {
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

}  // namespace edgehose
