// A server's words, for people. Pure.
#pragma once

#include <string>
#include <string_view>

#include "sinks/object/record_format.h"

namespace edgehose {

// At most `limit` bytes of them, control characters as blanks, U+FFFD for what is no UTF-8.
inline std::string printable(std::string_view words, std::size_t limit) {
  std::size_t end = std::min(words.size(), limit);
  while (end > 0 && end < words.size() && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80)
    --end;
  std::string out;
  append_utf8(words.substr(0, end), out);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') c = ' ';
  return out;
}

}  // namespace edgehose
