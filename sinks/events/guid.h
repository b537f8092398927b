// The name of a channel: a random UUID (RFC 9562, version 4), of whatever its bits are drawn from.
// Pure.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace edgehose {

inline std::string guid_of(std::uint64_t high, std::uint64_t low) {
  high = (high & ~0xF000ull) | 0x4000;
  low = (low & ~(3ull << 62)) | 2ull << 62;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF,
                     high & 0xFFFF, low >> 48, low & 0xFFFF'FFFF'FFFF);
}

}  // namespace edgehose
