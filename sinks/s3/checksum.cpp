#include "sinks/s3/checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/base/base64.h"
#include "agent/base/check.h"
#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kPolynomial = 0x9A6C9329AC4BC9B5;  // reflected
constexpr std::size_t kSlices = 8;
using Tables = std::array<std::array<std::uint64_t, 256>, kSlices>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::size_t i = 0; i < 256; ++i) {
    std::uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice)
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint64_t before = tables[slice - 1][i];
      tables[slice][i] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint64_t little_endian(const char* bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 8; i-- > 0;) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

// The low `size` bytes, the most significant one first.
std::string big_endian(std::uint64_t value, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = size; i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value & 0xFF);
  return bytes;
}

}  // namespace

std::uint64_t crc64nvme(std::uint64_t crc, std::string_view bytes) {
  crc = ~crc;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kSlices; at += kSlices, left -= kSlices) {
    crc ^= little_endian(at);
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < kSlices; ++i)
      next ^= kTables[kSlices - 1 - i][(crc >> (8 * i)) & 0xFF];
    crc = next;
  }
  for (; left > 0; ++at, --left)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFF];
  return ~crc;
}

std::string crc64nvme_value(std::uint64_t crc) { return encode_base64(big_endian(crc, 8), true); }

std::string_view checksum_header(S3Checksum kind) {
  switch (kind) {
    case S3Checksum::kCrc64Nvme: return "x-amz-checksum-crc64nvme";
    case S3Checksum::kCrc32c: return "x-amz-checksum-crc32c";
    case S3Checksum::kSha256: return "x-amz-checksum-sha256";
    case S3Checksum::kNone: return "";
  }
  return "";
}

std::string_view checksum_algorithm(S3Checksum kind) {
  switch (kind) {
    case S3Checksum::kCrc64Nvme: return "CRC64NVME";
    case S3Checksum::kCrc32c: return "CRC32C";
    case S3Checksum::kSha256: return "SHA256";
    case S3Checksum::kNone: return "";
  }
  return "";
}

struct ChecksumBuilder::Sha256 {
  Sha256() : context(EVP_MD_CTX_new()) {
    EH_CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  }
  ~Sha256() { EVP_MD_CTX_free(context); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  EVP_MD_CTX* const context;
};

ChecksumBuilder::ChecksumBuilder(S3Checksum kind) : kind_(kind) {
  if (kind == S3Checksum::kSha256) sha256_ = std::make_unique<Sha256>();
}
ChecksumBuilder::~ChecksumBuilder() = default;
ChecksumBuilder::ChecksumBuilder(ChecksumBuilder&&) noexcept = default;
ChecksumBuilder& ChecksumBuilder::operator=(ChecksumBuilder&&) noexcept = default;

bool comparable_checksums(std::string_view a, std::string_view b) {
  const auto parts = [](std::string_view text) {
    return text.substr(std::min(text.find('-'), text.size()));
  };
  return !a.empty() && !b.empty() && parts(a) == parts(b);
}

void ChecksumBuilder::add(std::string_view bytes) {
  switch (kind_) {
    case S3Checksum::kCrc64Nvme: crc_ = crc64nvme(crc_, bytes); break;
    case S3Checksum::kCrc32c: crc_ = crc32c(static_cast<std::uint32_t>(crc_), bytes); break;
    case S3Checksum::kSha256:
      EH_CHECK(EVP_DigestUpdate(sha256_->context, bytes.data(), bytes.size()) == 1);
      break;
    case S3Checksum::kNone: break;
  }
}

std::string ChecksumBuilder::value() { return encode_base64(bytes(), true); }

std::string ChecksumBuilder::bytes() {
  std::string bytes;
  switch (kind_) {
    case S3Checksum::kCrc64Nvme: bytes = big_endian(crc_, 8); break;
    case S3Checksum::kCrc32c: bytes = big_endian(crc_, 4); break;
    case S3Checksum::kSha256: {
      bytes.resize(32);
      auto* out = reinterpret_cast<unsigned char*>(bytes.data());
      EH_CHECK(EVP_DigestFinal_ex(sha256_->context, out, nullptr) == 1);
      break;
    }
    case S3Checksum::kNone: break;
  }
  return bytes;
}

}  // namespace edgehose
