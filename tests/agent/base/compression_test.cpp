// Reading what other tools wrote. Damage, cuts and whole objects: tests/sinks/object.
#include "agent/base/compression.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace edgehose {
namespace {

using namespace std::string_literals;

// `printf 'hello\n' | gzip -n`, and `| zstd`.
const std::string kGzip =
    "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x20\x30\x3a\x36\x06\0\0\0"s;
const std::string kZstd =
    "\x28\xb5\x2f\xfd\x04\x58\x31\0\0\x68\x65\x6c\x6c\x6f\x0a\x53\x88\xbd\x91"s;

class Bytes final : public ByteStream {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    const std::size_t n = std::min(size, bytes_.size());
    std::memcpy(out, bytes_.data(), n);
    bytes_.erase(0, n);
    return n;
  }

 private:
  std::string bytes_;
};

Result<std::string> decompress(Compression compression, const std::string& bytes) {
  const auto in = make_decompressor(compression, std::make_unique<Bytes>(bytes));
  std::string all;
  for (char piece[4];;) {
    EH_ASSIGN(const std::size_t n, in->read(piece, sizeof piece));
    if (n == 0) return all;
    all.append(piece, n);
  }
}

TEST(Decompression, FramesAndMembersFollowEachOther) {
  EXPECT_EQ(decompress(Compression::kGzip, kGzip + kGzip), "hello\nhello\n");
  EXPECT_EQ(decompress(Compression::kZstd, kZstd + kZstd), "hello\nhello\n");
  EXPECT_EQ(decompress(Compression::kNone, "plain"), "plain");
  EXPECT_EQ(decompress(Compression::kGzip, ""), "");
}

TEST(Decompression, ZerosMayFollowAGzipMemberAndNothingElse) {
  const std::string zeros(70'000, '\0');
  EXPECT_EQ(decompress(Compression::kGzip, kGzip + zeros), "hello\n");
  EXPECT_FALSE(decompress(Compression::kGzip, zeros));
  EXPECT_FALSE(decompress(Compression::kGzip, kGzip + zeros + "x"));
}

TEST(Decompression, ACutIsCorrupt) {
  for (const auto& [compression, whole] :
       {std::pair(Compression::kGzip, kGzip), std::pair(Compression::kZstd, kZstd)})
    for (std::size_t length = 1; length < whole.size(); ++length) {
      const auto got = decompress(compression, whole.substr(0, length));
      ASSERT_FALSE(got) << length;
      EXPECT_EQ(got.error().code, ErrorCode::kCorrupt) << length;
    }
}

}  // namespace
}  // namespace edgehose
