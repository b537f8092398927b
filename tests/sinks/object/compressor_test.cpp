// Compression both ways, the tools beside ours, damage; and opening whole objects.
#include <gtest/gtest.h>

#include "sinks/object/compressor.h"
#include "sinks/object/decrypt.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using test::drain;
using test::log_text;

std::string compress(Compression compression, int level, const std::string& raw,
                     std::size_t piece) {
  auto compressor = make_compressor(compression, level);
  EXPECT_TRUE(compressor);
  std::string out;
  for (std::size_t at = 0; at < raw.size(); at += piece)
    EXPECT_TRUE((*compressor)->write(std::string_view(raw).substr(at, piece), out));
  EXPECT_TRUE((*compressor)->end_frame(out));
  EXPECT_TRUE((*compressor)->end_frame(out));  // nothing is begun: nothing happens
  if (out.empty()) {
    EXPECT_TRUE((*compressor)->empty_frame(out));
  }
  return out;
}

test::Drained decompress(Compression compression, const std::string& bytes, std::size_t piece) {
  const auto in = make_decompressor(compression, test::stream(bytes, piece));
  return drain(*in, piece + 3);
}

TEST(Compressor, RoundTripsInAnyPieces) {
  for (const auto compression : {Compression::kZstd, Compression::kGzip, Compression::kNone})
    for (const std::size_t size : {0u, 1u, 262'143u, 262'144u, 262'145u, 2'000'000u})
      for (const std::size_t piece : {1'000u, 300'000u}) {
        const std::string raw = log_text(size).substr(0, size);
        const auto out = decompress(compression, compress(compression, 1, raw, piece), piece);
        EXPECT_FALSE(out.error);
        EXPECT_EQ(out.bytes, raw);
      }
}

TEST(Compressor, TheToolsReadItAndItReadsTheTools) {
  test::TemporaryDirectory directory;
  const std::string raw = log_text(3'000'000);
  test::write_file(directory.file("raw"), raw);
  test::write_file(directory.file("z"), compress(Compression::kZstd, 19, raw, 50'000));
  test::write_file(directory.file("g"), compress(Compression::kGzip, 9, raw, 50'000));
  EXPECT_EQ(test::run("zstd -dcq < " + directory.file("z")), raw);
  EXPECT_EQ(test::run("gzip -dc < " + directory.file("g")), raw);
  EXPECT_EQ(
      decompress(Compression::kZstd, test::run("zstd -cq " + directory.file("raw")), 999).bytes,
      raw);
  EXPECT_EQ(
      decompress(Compression::kGzip, test::run("gzip -c " + directory.file("raw")), 999).bytes,
      raw);
}

TEST(Compressor, LevelsOutOfRangeAreRefused) {
  EXPECT_FALSE(check_level(Compression::kZstd, 0));
  EXPECT_TRUE(check_level(Compression::kZstd, 19));
  EXPECT_FALSE(check_level(Compression::kZstd, 20));
  EXPECT_FALSE(check_level(Compression::kGzip, 10));
  EXPECT_TRUE(check_level(Compression::kNone, 99));
}

TEST(Decompressor, EveryCutAndEveryChangeIsAnErrorOrHarmless) {
  const std::string raw = log_text(400'000);
  std::mt19937 random(3);
  for (const auto compression : {Compression::kZstd, Compression::kGzip}) {
    const std::string good = compress(compression, 1, raw, 100'000);
    int unnoticed = 0;
    for (int i = 0; i < 300; ++i) {
      const std::size_t at = 1 + random() % (good.size() - 1);
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
      const auto out = decompress(compression, bad, 4096);
      // Bits that mean nothing (gzip's time stamp, its OS) may change: the data may not.
      if (!out.error) {
        ++unnoticed;
        EXPECT_EQ(out.bytes, raw) << at;
      }
      const auto cut = decompress(compression, good.substr(0, at), 4096);
      EXPECT_TRUE(cut.error || raw.starts_with(cut.bytes)) << at;
      EXPECT_NE(cut.bytes, raw);
    }
    EXPECT_LT(unnoticed, 10);
  }
}

TEST(Decompressor, ACutInsideAFrameIsNamed) {
  const std::string zstd = compress(Compression::kZstd, 1, log_text(100'000), 1'000);
  const auto out = decompress(Compression::kZstd, zstd.substr(0, zstd.size() - 1), 4096);
  ASSERT_TRUE(out.error);
  EXPECT_NE(out.error->message.find("cut short"), std::string::npos);
  const std::string gzip = compress(Compression::kGzip, 1, log_text(100'000), 1'000);
  EXPECT_TRUE(decompress(Compression::kGzip, gzip.substr(0, gzip.size() - 1), 4096).error);
  EXPECT_TRUE(decompress(Compression::kGzip, gzip + "garbage", 4096).error);
  EXPECT_TRUE(decompress(Compression::kZstd, zstd + "garbage", 4096).error);
}

TEST(Decompressor, AHugeWindowIsRefused) {
  test::TemporaryDirectory directory;
  test::write_file(directory.file("raw"), log_text(20'000'000));
  const std::string bytes = test::run("zstd -1 --long=27 -cq < " + directory.file("raw"));
  const auto out = decompress(Compression::kZstd, bytes, 4096);
  ASSERT_TRUE(out.error);
  EXPECT_EQ(out.error->code, ErrorCode::kUnsupported);
}

TEST(OpenObject, PlainBytesStayAsTheyAre) {
  for (const std::string& plain : {std::string(), std::string("hello\n"), log_text(100'000)}) {
    auto opened = open_object(test::stream(plain), {});
    ASSERT_TRUE(opened);
    EXPECT_FALSE(opened->encrypted || opened->compressed);
    EXPECT_EQ(drain(*opened->plain).bytes, plain);
  }
}

TEST(OpenObject, AnEncryptedOneAsksForItsIdentity) {
  auto opened = open_object(test::stream("age-encryption.org/v1\n-> X25519"), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kAuth);
}

}  // namespace
}  // namespace edgehose
