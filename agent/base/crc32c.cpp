#include "agent/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace edgehose {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

// tables[k][b]: the effect of byte b followed by k zero bytes.
constexpr auto make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b)
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xFF];
  return tables;
}
constexpr auto kTables = make_tables();

// A CRC instruction gives its result after three cycles and one can begin each cycle: so three
// neighbouring strands of this many bytes are taken side by side, and joined afterwards.
constexpr std::size_t kStrand = 1024;

// shift[k][b]: what byte k of a CRC register, of value b, becomes behind kStrand zero bytes. The
// effect is linear, so a register's is the XOR of its bytes'.
constexpr auto make_shift() {
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < kStrand; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xFF];
    of_bit[bit] = crc;
  }
  std::array<std::array<std::uint32_t, 256>, 4> shift{};
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t b = 0; b < 256; ++b)
      for (std::size_t bit = 0; bit < 8; ++bit)
        if ((b >> bit & 1) != 0) shift[k][b] ^= of_bit[8 * k + bit];
  return shift;
}

[[maybe_unused]] std::uint32_t behind_strand(std::uint32_t crc) {
  static constexpr auto kShift = make_shift();
  return kShift[0][crc & 0xFF] ^ kShift[1][(crc >> 8) & 0xFF] ^ kShift[2][(crc >> 16) & 0xFF] ^
         kShift[3][crc >> 24];
}

#if defined(__x86_64__)
#define EH_CRC_TARGET __attribute__((target("sse4.2,crc32")))
bool has_instructions() { return __builtin_cpu_supports("sse4.2"); }
EH_CRC_TARGET inline std::uint32_t add_word(std::uint32_t crc, std::uint64_t word) {
  return static_cast<std::uint32_t>(_mm_crc32_u64(crc, word));
}
EH_CRC_TARGET inline std::uint32_t add_byte(std::uint32_t crc, unsigned char byte) {
  return _mm_crc32_u8(crc, byte);
}
#elif defined(__aarch64__)
#define EH_CRC_TARGET __attribute__((target("+crc")))
bool has_instructions() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
EH_CRC_TARGET inline std::uint32_t add_word(std::uint32_t crc, std::uint64_t word) {
  return __crc32cd(crc, word);
}
EH_CRC_TARGET inline std::uint32_t add_byte(std::uint32_t crc, unsigned char byte) {
  return __crc32cb(crc, byte);
}
#endif

#ifdef EH_CRC_TARGET
EH_CRC_TARGET inline std::uint64_t word_at(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

EH_CRC_TARGET std::uint32_t crc32c_cpu(std::uint32_t crc, const char* p, std::size_t n) {
  crc = ~crc;
  for (; n >= 3 * kStrand; p += 3 * kStrand, n -= 3 * kStrand) {
    std::uint32_t second = 0, third = 0;
    for (const char* q = p; q != p + kStrand; q += 8) {
      crc = add_word(crc, word_at(q));
      second = add_word(second, word_at(q + kStrand));
      third = add_word(third, word_at(q + 2 * kStrand));
    }
    crc = behind_strand(behind_strand(crc) ^ second) ^ third;
  }
  for (; n >= 8; p += 8, n -= 8) crc = add_word(crc, word_at(p));
  for (; n > 0; ++p, --n) crc = add_byte(crc, static_cast<unsigned char>(*p));
  return ~crc;
}
#else
bool has_instructions() { return false; }
std::uint32_t crc32c_cpu(std::uint32_t crc, const char* p, std::size_t n) {
  return crc32c_portable(crc, {p, n});
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t n = bytes.size();
  crc = ~crc;
  for (; n >= 8; p += 8, n -= 8) {  // bytes are picked singly: the same on either byte order
    const std::uint32_t low = crc ^ (p[0] | p[1] << 8 | p[2] << 16 | std::uint32_t{p[3]} << 24);
    crc = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^ kTables[5][(low >> 16) & 0xFF] ^
          kTables[4][low >> 24] ^ kTables[3][p[4]] ^ kTables[2][p[5]] ^ kTables[1][p[6]] ^
          kTables[0][p[7]];
  }
  for (; n > 0; ++p, --n) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xFF];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  static const bool cpu = has_instructions();
  return cpu ? crc32c_cpu(crc, bytes.data(), bytes.size()) : crc32c_portable(crc, bytes);
}

}  // namespace edgehose
