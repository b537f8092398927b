#include "sinks/s3/checksum.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/sinks/need_vectors.h"

namespace edgehose {
namespace {

std::string value_of(S3Checksum kind, std::string_view bytes, std::size_t step) {
  ChecksumBuilder builder(kind);
  for (std::size_t at = 0; at < bytes.size(); at += step) builder.add(bytes.substr(at, step));
  return builder.value();
}

TEST(S3Checksum, PublishedCheckValues) {
  EXPECT_EQ(crc64nvme(0, "123456789"), 0xAE8B14860A799888u);
  EXPECT_EQ(crc64nvme(crc64nvme(0, "1234"), "56789"), 0xAE8B14860A799888u);
  EXPECT_EQ(value_of(S3Checksum::kCrc64Nvme, "123456789", 9), "rosUhgp5mIg=");
  EXPECT_EQ(value_of(S3Checksum::kCrc32c, "123456789", 9), "4waSgw==");
  EXPECT_EQ(value_of(S3Checksum::kNone, "123456789", 9), "");
}

// "a*66560" is 'a' repeated, "bytes0-255*64" every byte in turn; other names are the bytes
// themselves.
std::string input_of(const nlohmann::json& vector) {
  const std::string name = vector["input"];
  std::string bytes(vector["length"], 'a');
  if (name == "a*66560" || bytes.empty()) return bytes;
  if (name != "bytes0-255*64") return name;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i & 0xFF);
  return bytes;
}

TEST(S3Checksum, Vectors) {
  const std::string path = EDGEHOSE_VECTORS_DIR "/s3/checksums.json";
  EDGEHOSE_NEED_VECTORS();
  std::ifstream file(path);
  int compared = 0;
  const nlohmann::json document = nlohmann::json::parse(file);
  for (const auto& vector : document["vectors"]) {
    const std::string input = input_of(vector);
    for (const S3Checksum kind : {S3Checksum::kCrc64Nvme, S3Checksum::kCrc32c, S3Checksum::kSha256})
      for (const std::size_t step : {1u, 7u, 4096u, 1u << 20}) {
        EXPECT_EQ(value_of(kind, input, step), vector[std::string(checksum_header(kind))])
            << vector["input"];
        ++compared;
      }
  }
  EXPECT_EQ(compared, 5 * 12);
}

}  // namespace
}  // namespace edgehose
