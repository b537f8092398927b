// What S3 checks an upload against: a checksum in a header of its own, base64 of the big-endian
// value. Source:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html Threading:
// values; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace edgehose {

enum class S3Checksum { kCrc64Nvme, kCrc32c, kSha256, kNone };

// "x-amz-checksum-crc64nvme"; empty for kNone.
std::string_view checksum_header(S3Checksum kind);
// "CRC64NVME", as x-amz-checksum-algorithm wants it.
std::string_view checksum_algorithm(S3Checksum kind);

// Whether two values of one kind tell of the same or of different bytes: both are there, and both
// of a whole object, or of as many parts ("AAAA==-3").
bool comparable_checksums(std::string_view a, std::string_view b);

class ChecksumBuilder {
 public:
  explicit ChecksumBuilder(S3Checksum kind);
  ~ChecksumBuilder();
  ChecksumBuilder(ChecksumBuilder&&) noexcept;
  ChecksumBuilder& operator=(ChecksumBuilder&&) noexcept;

  void add(std::string_view bytes);
  // The value itself, the most significant byte first; nothing is added afterwards. Empty for
  // kNone.
  std::string bytes();
  // In place of it: as the header has it.
  std::string value();

 private:
  struct Sha256;
  S3Checksum kind_;
  std::uint64_t crc_ = 0;
  std::unique_ptr<Sha256> sha256_;
};

// CRC-64/NVME (NVM Express, section 5.2.1.3.4; reflected): of "123456789" 0xAE8B14860A799888.
// Extends as crc32c() does.
std::uint64_t crc64nvme(std::uint64_t crc, std::string_view bytes);
// The header's value of one.
std::string crc64nvme_value(std::uint64_t crc);

}  // namespace edgehose
