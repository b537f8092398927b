// Bytes that nobody else is to see: wiped when they go; drawn by OpenSSL's generator for secrets.
//
// Threading: values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

void wipe(void* bytes, std::size_t size);
// What it held before and does not show any more goes too. Its content is undefined then.
inline void wipe(std::string& bytes) {
  bytes.resize(bytes.capacity());
  wipe(bytes.data(), bytes.size());
}

// N secret bytes, wiped on destruction.
template <std::size_t N>
struct SecretBytes {
  std::array<std::uint8_t, N> bytes{};

  SecretBytes() = default;
  SecretBytes(const SecretBytes&) = default;
  SecretBytes& operator=(const SecretBytes&) = default;
  ~SecretBytes() { wipe(bytes.data(), N); }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
};

// kIo where the generator has none.
Status random_bytes(std::uint8_t* out, std::size_t size);
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace edgehose
