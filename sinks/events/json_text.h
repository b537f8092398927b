// Pieces of JSON that events are written of. Pure.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "sinks/object/record_format.h"

namespace edgehose {

inline void append_json_number(std::uint64_t n, std::string& out) {
  char digits[20];
  const char* const end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// With its quotes.
inline void append_json_text(std::string_view text, std::string& out) {
  out.push_back('"');
  append_json_escaped(text, out);
  out.push_back('"');
}

inline std::string json_text(std::string_view text) {
  std::string out;
  append_json_text(text, out);
  return out;
}

}  // namespace edgehose
