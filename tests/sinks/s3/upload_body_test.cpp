#include "sinks/s3/upload_body.h"

#include <gmock/gmock.h>

#include "agent/base/base64.h"
#include "tests/sinks/s3/text.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;

UploadFacts measure(const std::string& text, std::uint64_t part_size, S3Checksum kind,
                    bool hashed = false) {
  UploadMeter meter(body_of(text), part_size, kind, hashed);
  std::vector<char> buffer(7);
  while (!*meter.step(buffer)) {
  }
  return meter.facts();
}

std::string checksum(S3Checksum kind, std::string_view bytes) {
  ChecksumBuilder builder(kind);
  builder.add(bytes);
  return builder.value();
}

const std::string kBody = "the quick brown fox jumps over";  // 30 bytes

TEST(UploadMeter, OnePartIsTheWhole) {
  for (const std::uint64_t size : {30u, 31u, 1000u}) {
    const UploadFacts facts = measure(kBody, size, S3Checksum::kCrc64Nvme, true);
    EXPECT_EQ(facts.size, 30u);
    EXPECT_EQ(facts.parts.size(), 1u);
    EXPECT_EQ(facts.checksum, checksum(S3Checksum::kCrc64Nvme, kBody));
    EXPECT_EQ(facts.payload_hash.size(), 64u);
  }
  const UploadFacts none = measure("", 5, S3Checksum::kCrc32c);
  EXPECT_EQ(none.parts.size(), 1u);
  EXPECT_EQ(none.checksum, checksum(S3Checksum::kCrc32c, ""));
}

TEST(UploadMeter, PartsHaveTheirOwnChecksumsWhateverSlicesTheyAreReadIn) {
  for (const S3Checksum kind : {S3Checksum::kCrc64Nvme, S3Checksum::kCrc32c, S3Checksum::kSha256}) {
    const UploadFacts facts = measure(kBody, 11, kind, true);
    ASSERT_EQ(facts.parts.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string part = kBody.substr(i * 11, 11);
      EXPECT_EQ(facts.parts[i].size, part.size());
      EXPECT_EQ(facts.parts[i].checksum, checksum(kind, part));
      EXPECT_EQ(facts.parts[i].check, crc64nvme(0, part));
      EXPECT_EQ(facts.parts[i].payload_hash.size(), 64u);
    }
  }
}

// CRC-64/NVME is of all bytes; others are of the parts' checksums, with their number.
TEST(UploadMeter, TheObjectsChecksumIsAsS3SaysIt) {
  EXPECT_EQ(measure(kBody, 11, S3Checksum::kCrc64Nvme).checksum,
            checksum(S3Checksum::kCrc64Nvme, kBody));
  for (const S3Checksum kind : {S3Checksum::kCrc32c, S3Checksum::kSha256}) {
    std::string parts;
    for (std::size_t i = 0; i < 3; ++i)
      parts += *decode_base64(checksum(kind, kBody.substr(i * 11, 11)), true);
    EXPECT_EQ(measure(kBody, 11, kind).checksum, checksum(kind, parts) + "-3");
  }
  EXPECT_EQ(measure(kBody, 11, S3Checksum::kNone).checksum, "");
}

TEST(UploadMeter, ABodyOfTooManyPartsHasLargerOnes) {
  const std::string text(2 * kMaxUploadParts + 1, 'x');
  EXPECT_EQ(measure(text.substr(0, kMaxUploadParts), 1, S3Checksum::kNone).parts.size(),
            kMaxUploadParts);
  const UploadFacts facts = measure(text, 1, S3Checksum::kCrc64Nvme);
  EXPECT_EQ(facts.size, text.size());
  EXPECT_EQ(facts.part_size, 3u);
  EXPECT_EQ(facts.parts.size(), 667u);
  EXPECT_EQ(facts.checksum, checksum(S3Checksum::kCrc64Nvme, text));
}

std::string read_all(RequestBody& body) {
  auto stream = body.open();
  if (!stream) return stream.error().message;
  std::string text;
  char buffer[4];
  for (;;) {
    const auto n = (*stream)->read(buffer, sizeof buffer);
    if (!n) return n.error().message;
    if (*n == 0) return text;
    text.append(buffer, *n);
  }
}

TEST(PartReader, PartsComeFromOneStream) {
  const auto source = std::make_shared<Text>(kBody);
  const auto reader = std::make_shared<PartReader>(source);
  for (std::size_t at = 0; at < 30; at += 11) {
    const std::size_t size = std::min<std::size_t>(11, 30 - at);
    EXPECT_EQ(read_all(*PartReader::part(reader, at, size)), kBody.substr(at, size));
  }
  EXPECT_EQ(source->opened, 1);
}

TEST(PartReader, BeginsWhereItIsLed) {
  const auto reader = std::make_shared<PartReader>(std::make_shared<Text>(kBody));
  std::vector<char> buffer(4);
  EXPECT_TRUE(*reader->seek(22, buffer));
  EXPECT_EQ(read_all(*PartReader::part(reader, 22, 8)), kBody.substr(22));
  EXPECT_TRUE(*reader->seek(11, buffer)) << "back again";
  EXPECT_EQ(read_all(*PartReader::part(reader, 11, 11)), kBody.substr(11, 11));
  const auto beyond = reader->seek(31, buffer);
  ASSERT_FALSE(beyond);
  EXPECT_THAT(beyond.error().message, HasSubstr("another length"));
}

TEST(PartReader, ABodyThatGotShorterIsAnError) {
  const auto reader = std::make_shared<PartReader>(std::make_shared<Text>(kBody));
  EXPECT_THAT(read_all(*PartReader::part(reader, 0, 31)), HasSubstr("another length"));
}

}  // namespace
}  // namespace edgehose
