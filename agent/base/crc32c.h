// CRC-32C (Castagnoli polynomial, reflected, RFC 3720 appendix B.4): crc32c(0, "123456789") is
// 0xE3069283. Uses the CPU's instructions where there are some, tables elsewhere.
#pragma once

#include <cstdint>
#include <string_view>

namespace edgehose {

// Extends a checksum: crc32c(crc32c(0, a), b) == crc32c(0, a + b).
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

// The table version, for machines without the instructions; exposed so that a test can compare
// both.
std::uint32_t crc32c_portable(std::uint32_t crc, std::string_view bytes);

}  // namespace edgehose
