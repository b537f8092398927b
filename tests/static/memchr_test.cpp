// memchr of the static build (cross/static/own/memchr.c): by the pieces of this machine, and by
// words.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ostream>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __ARM_NEON
#include <arm_neon.h>
#endif

namespace by_pieces {
#define memchr find
#include "cross/static/own/memchr.c"
}  // namespace by_pieces
#define EDGEHOSE_MEMCHR_BY_WORDS
namespace by_words {
#include "cross/static/own/memchr.c"
}  // namespace by_words
#undef memchr

namespace {

constexpr std::size_t kLongest = 80;  // five pieces of 16 bytes
constexpr unsigned char kSought = '\n';

struct Way {
  const char* name;
  void* (*find)(const void*, int, std::size_t);
  friend void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }
};

// A page between two that cannot be read: a byte before or behind it, and the process ends.
class MemchrTest : public testing::TestWithParam<Way> {
 protected:
  MemchrTest()
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        pages_(static_cast<unsigned char*>(
            ::mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~MemchrTest() override { ::munmap(pages_, 3 * page_); }

  void SetUp() override {
    ASSERT_NE(pages_, MAP_FAILED);
    ASSERT_EQ(::mprotect(pages_ + page_, page_, PROT_READ | PROT_WRITE), 0);
  }

  unsigned char* first() const { return pages_ + page_; }
  unsigned char* last(std::size_t bytes) const { return pages_ + 2 * page_ - bytes; }
  static std::ptrdiff_t found(const unsigned char* at, std::size_t length) {
    const void* place =
        GetParam().find(at, 0x300 | kSought, length);  // of the value only a byte counts
    return place == nullptr ? -1 : static_cast<const unsigned char*>(place) - at;
  }

 private:
  std::size_t page_;
  unsigned char* pages_;
};

TEST_P(MemchrTest, TheFirstIsFoundWhereverItLiesAndNothingElseIs) {
  // Those that differ from it by the highest, the lowest, or no other bit have misled shorter ways.
  for (const int filling : {kSought + 1, kSought ^ 1, kSought ^ 0x80, 0, 0xff}) {
    std::memset(last(2 * kLongest), kSought, 2 * kLongest);  // before the beginning: no match
    for (std::size_t length = 0; length <= kLongest; ++length) {
      unsigned char* const at = last(length);
      std::memset(at, filling, length);
      ASSERT_EQ(found(at, length), -1) << length;
      for (std::size_t place = length; place-- > 0;) {
        at[place] = kSought;  // with those behind it, which are not the first
        ASSERT_EQ(found(at, length), static_cast<std::ptrdiff_t>(place)) << length;
        ASSERT_EQ(found(at, place), -1) << length << ", and what lies behind its end";
      }
    }
  }
}

TEST_P(MemchrTest, ALengthBeyondMemoryIsNoReasonToReadThere) {
  *last(1) = kSought;
  for (std::size_t length = 1; length <= kLongest; ++length) {
    ASSERT_EQ(found(last(length), SIZE_MAX), static_cast<std::ptrdiff_t>(length) - 1);
  }
}

TEST_P(MemchrTest, NothingBeforeTheBeginningIsRead) {
  std::memset(first(), 0, 2 * kLongest);
  for (std::size_t offset = 0; offset <= 16; ++offset)
    for (std::size_t length = 0; length <= kLongest; ++length)
      ASSERT_EQ(found(first() + offset, length), -1) << offset << ", " << length;
}

INSTANTIATE_TEST_SUITE_P(Ways, MemchrTest,
                         testing::Values(Way{"pieces", &by_pieces::find},
                                         Way{"words", &by_words::find}));

}  // namespace
