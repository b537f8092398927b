#include "sinks/object/record_format.h"

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace edgehose {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What stands for each byte: itself, an escape, or a UTF-8 sequence to be looked at.
enum Class : std::uint8_t { kPlain, kEscape, kMultiByte };
constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c)
    classes[c] = c >= 0x80                                        ? kMultiByte
                 : c < 0x20 || c == '"' || c == '\\' || c == 0x7F ? kEscape
                                                                  : kPlain;
  return classes;
}();

void append_escape(unsigned char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u00";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

struct Sequence8 {
  std::size_t length;  // bytes to step over
  bool valid;
};

// The UTF-8 sequence at the front (its first byte is 0x80 or above), or the longest part that could
// have begun one (Unicode table 3-7).
Sequence8 utf8_sequence(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0xC2 || first > 0xF4) return {1, false};
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  unsigned low = 0x80, high = 0xBF;  // of the second byte
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80, high = 0xBF;
  }
  return {length, true};
}

// The first of `text` from `at` on that is not plain; its size: all are.
#if defined(__SSE2__)
std::size_t first_to_look_at(std::string_view text, std::size_t at) {
  const auto all = [](int byte) { return _mm_set1_epi8(static_cast<char>(byte)); };
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    // Signed, so that 0x80 and above are below the space too.
    const __m128i low = _mm_cmplt_epi8(v, all(0x20));
    const __m128i escaped = _mm_or_si128(_mm_cmpeq_epi8(v, all('"')), _mm_cmpeq_epi8(v, all('\\')));
    const __m128i look = _mm_or_si128(_mm_or_si128(low, escaped), _mm_cmpeq_epi8(v, all(0x7F)));
    if (const int mask = _mm_movemask_epi8(look); mask != 0)
      return at + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(mask)));
  }
#else
std::size_t first_to_look_at(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kTops = 0x8080808080808080u;
  const auto has_zero = [](std::uint64_t x) { return (x - kOnes) & ~x; };
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t v;
    std::memcpy(&v, text.data() + at, sizeof v);
    const std::uint64_t control = (v - kOnes * 0x20) & ~v;
    if (((v | control | has_zero(v ^ kOnes * '"') | has_zero(v ^ kOnes * '\\') |
          has_zero(v ^ kOnes * 0x7F)) &
         kTops) != 0)
      break;
  }
#endif
  while (at < text.size() && kClasses[static_cast<unsigned char>(text[at])] == kPlain) ++at;
  return at;
}

void append_number(std::uint64_t n, std::string& out) {
  char digits[20];
  const char* const end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_padded(std::uint64_t n, unsigned width, std::string& out) {
  for (std::uint64_t limit = 10; width > 1; --width, limit *= 10)
    if (n < limit) {
      out.append(width - 1, '0');
      break;
    }
  append_number(n, out);
}

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out.append(",\"").append(name).append("\":\"");
  append_json_escaped(text, out);
  out.push_back('"');
}

void append_attributes(const Record& record, std::string& out) {
  out += ",\"attributes\":{";
  for (const Attribute& attribute : record.attributes) {
    if (&attribute != record.attributes.data()) out.push_back(',');
    out.push_back('"');
    append_json_escaped(attribute.name, out);
    out += "\":\"";
    append_json_escaped(attribute.value, out);
    out.push_back('"');
  }
  out.push_back('}');
}

}  // namespace

void append_json_escaped(std::string_view text, std::string& out) {
  std::size_t begin = 0, at = 0;
  const auto flush = [&] { out.append(text, begin, at - begin); };
  while ((at = first_to_look_at(text, at)) < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (kClasses[c] == kEscape) {
      flush();
      append_escape(c, out);
      begin = ++at;
    } else {
      const auto [length, valid] = utf8_sequence(text.substr(at));
      if (!valid) {
        flush();
        out.append(kReplacement);
        begin = at + length;
      }
      at += length;
    }
  }
  flush();
}

void append_utf8(std::string_view text, std::string& out) {
  std::size_t begin = 0, at = 0;
  while (at < text.size()) {
    if (kClasses[static_cast<unsigned char>(text[at])] != kMultiByte) {
      ++at;
      continue;
    }
    const auto [length, valid] = utf8_sequence(text.substr(at));
    if (!valid) {
      out.append(text, begin, at - begin).append(kReplacement);
      begin = at + length;
    }
    at += length;
  }
  out.append(text, begin, at - begin);
}

void append_rfc3339(WallTime time, std::string& out) {
  using namespace std::chrono;
  const sys_time<nanoseconds> instant{nanoseconds(time.value)};
  const auto day = floor<days>(instant);
  const year_month_day date(day);
  const auto seconds_of_day = static_cast<std::uint64_t>(floor<seconds>(instant - day).count());
  auto fraction = static_cast<std::uint64_t>((instant - floor<seconds>(instant)).count());
  append_padded(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  out.push_back('-');
  append_padded(static_cast<unsigned>(date.month()), 2, out);
  out.push_back('-');
  append_padded(static_cast<unsigned>(date.day()), 2, out);
  out.push_back('T');
  append_padded(seconds_of_day / 3600, 2, out);
  out.push_back(':');
  append_padded(seconds_of_day / 60 % 60, 2, out);
  out.push_back(':');
  append_padded(seconds_of_day % 60, 2, out);
  if (fraction != 0) {
    unsigned width = 9;
    for (; fraction % 1000 == 0; fraction /= 1000) width -= 3;
    out.push_back('.');
    append_padded(fraction, width, out);
  }
  out.push_back('Z');
}

void NdjsonWriter::prepare(const Record& record, const RecordOrigin& origin) {
  if (!before_sequence_.empty() && record.time == time_ && origin.file == file_ &&
      origin.source == source_ && origin.agent == agent_)
    return;
  time_ = record.time;
  agent_ = origin.agent;
  source_ = origin.source;
  file_ = origin.file;
  before_sequence_ = "{\"time\":\"";
  append_rfc3339(record.time, before_sequence_);
  before_sequence_.push_back('"');
  append_member("agent", origin.agent, before_sequence_);
  append_member("source", origin.source, before_sequence_);
  before_sequence_ += ",\"sequence\":";
  after_sequence_.clear();
  if (!origin.file.empty()) append_member("file", origin.file, after_sequence_);
}

void NdjsonWriter::append(const Record& record, const RecordOrigin& origin, std::string& out) {
  prepare(record, origin);
  out += before_sequence_;
  append_number(record.sequence.value, out);
  out += after_sequence_;
  if (record.file.value != 0) {
    out += ",\"offset\":";
    append_number(record.begin, out);
  }
  if (record.truncated) out += ",\"truncated\":true";
  if (record.partial) out += ",\"partial\":true";
  if (!record.attributes.empty()) append_attributes(record, out);
  append_member("message", record.body, out);
  out += "}\n";
}

}  // namespace edgehose
