// memchr by 16 bytes or by words, for the static build, whose C library looks at one byte at a
// time: lines are found with it. The library's is a weak symbol, so this one takes its place.
//
// It reads whole pieces at multiples of their size. Such a piece lies in one page, so it can be
// read where one of its bytes can, and nothing behind the first byte sought is needed: as C wants
// it, also where the length reaches beyond what may be read.
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __ARM_NEON
#include <arm_neon.h>
#endif

// A piece, one with `byte` in each place, and which bytes of two are equal: kBits bits for each,
// the first byte's are the lowest.
#if defined(__SSE2__) && !defined(EDGEHOSE_MEMCHR_BY_WORDS)
enum { kBits = 1 };
typedef __m128i Piece;
typedef uint32_t Found;
static inline Piece everywhere(unsigned char byte) { return _mm_set1_epi8((char)byte); }
static inline Found equal(const Piece* at, Piece sought) {
  return (Found)_mm_movemask_epi8(_mm_cmpeq_epi8(*at, sought));
}
#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(EDGEHOSE_MEMCHR_BY_WORDS)
enum { kBits = 4 };
typedef uint8x16_t Piece;
typedef uint64_t Found;
static inline Piece everywhere(unsigned char byte) { return vdupq_n_u8(byte); }
static inline Found equal(const Piece* at, Piece sought) {
  const uint8x16_t same = vceqq_u8(vld1q_u8((const uint8_t*)at), sought);
  return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(same), kBits)), 0);
}
#else
enum { kBits = 8 };
typedef uintptr_t __attribute__((may_alias)) Piece;
typedef uintptr_t Found;
static inline Piece everywhere(unsigned char byte) { return (uintptr_t)-1 / 0xff * byte; }
// Exact for each byte: no carry leaves it. The shorter way that is well known marks some after a
// first one, too.
static inline Found equal(const Piece* at, Piece sought) {
  const uintptr_t low_bits = (uintptr_t)-1 / 0xff * 0x7f;
  const uintptr_t differs = *at ^ sought;
  return ~(((differs & low_bits) + low_bits) | differs | low_bits);
}
#endif

void* memchr(const void* memory, int value, size_t length) {
  const uintptr_t begin = (uintptr_t)memory;
  const uintptr_t end = length < UINTPTR_MAX - begin ? begin + length : UINTPTR_MAX;
  if (length == 0) return NULL;
  const Piece sought = everywhere((unsigned char)value);
  const unsigned before = (unsigned)(begin % sizeof(Piece));
  uintptr_t at = begin - before;
  // What lies before the beginning does not count.
  Found found = equal((const Piece*)at, sought) >> (before * kBits) << (before * kBits);
  while (found == 0) {
    at += sizeof(Piece);
    if (at >= end) return NULL;
    found = equal((const Piece*)at, sought);
  }
  at += (unsigned)__builtin_ctzll(found) / kBits;
  return at < end ? (void*)at : NULL;
}
