// Little readers and writers for binary formats of ours: fixed integers (little-endian inside
// values, big-endian inside keys, so that keys sort by number), varints (LEB128), length-prefixed
// strings. The reader never reads past its end: it goes bad instead, and stays bad.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace edgehose {

template <class Int>
void put_le(std::string& out, Int value) {
  auto v = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof(Int); ++i) out.push_back(static_cast<char>(v >> (8 * i)));
}

template <class Int>
void put_be(std::string& out, Int value) {
  auto v = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = sizeof(Int); i-- > 0;) out.push_back(static_cast<char>(v >> (8 * i)));
}

inline void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

inline std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
inline std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

template <std::size_t N>
void put_bytes(std::string& out, const std::array<std::uint8_t, N>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), N);
}

inline void put_string(std::string& out, std::string_view s) {
  put_varint(out, s.size());
  out.append(s);
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  template <class Int>
  Int le() {
    std::make_unsigned_t<Int> v = 0;
    const std::string_view b = take(sizeof(Int));
    for (std::size_t i = 0; i < b.size(); ++i)
      v |= static_cast<std::make_unsigned_t<Int>>(
          static_cast<std::make_unsigned_t<Int>>(static_cast<unsigned char>(b[i])) << (8 * i));
    return static_cast<Int>(v);
  }

  template <class Int>
  Int be() {
    std::uint64_t v = 0;
    for (const char c : take(sizeof(Int))) v = (v << 8) | static_cast<unsigned char>(c);
    return static_cast<Int>(v);
  }

  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::string_view b = take(1);
      if (b.empty()) return 0;
      const auto byte = static_cast<unsigned char>(b[0]);
      if (shift == 63 && byte > 1) break;
      v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return v;
    }
    ok_ = false;
    return 0;
  }

  std::string_view string() { return take(varint()); }

  // The next n bytes, or none and a bad reader where there are fewer.
  std::string_view take(std::uint64_t n) {
    if (!ok_ || n > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(n));
    rest_.remove_prefix(static_cast<std::size_t>(n));
    return taken;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

template <std::size_t N>
void get_bytes(ByteReader& in, std::array<std::uint8_t, N>& bytes) {
  std::ranges::copy(in.take(N), reinterpret_cast<char*>(bytes.data()));
}

}  // namespace edgehose
