#include "sinks/object/s3ec/content_key.h"

#include "sinks/object/crypto/hkdf.h"

namespace edgehose::s3ec {
namespace {

constexpr std::string_view kSuite("\x00\x73", 2);  // 115

std::string info(std::string_view label) { return std::string(kSuite).append(label); }

}  // namespace

Result<ContentKey> derive_content_key(Format format, const DataKey& data_key,
                                      std::string_view nonce) {
  if (format == Format::kV2) return ContentKey{data_key, std::string(nonce), {}, {}};
  ContentKey derived{{}, std::string(kIvBytes, '\x01'), std::string(kSuite), {}};
  EH_TRY(hkdf(HkdfDigest::kSha512, data_key.view(), nonce, info("DERIVEKEY"),
              derived.key.bytes.data(), derived.key.bytes.size()));
  derived.commitment.resize(kCommitmentBytes);
  EH_TRY(hkdf(HkdfDigest::kSha512, data_key.view(), nonce, info("COMMITKEY"),
              reinterpret_cast<std::uint8_t*>(derived.commitment.data()), kCommitmentBytes));
  return derived;
}

}  // namespace edgehose::s3ec
