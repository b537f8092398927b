// The cryptography of the S3 Encryption Client's formats, over OpenSSL's EVP: AES-256-GCM
// (SP 800-38D) as a stream. (HKDF-SHA-512: crypto/hkdf.h.)
//
// Threading: a Gcm belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/result.h"
#include "sinks/object/crypto/cipher_context.h"
#include "sinks/object/crypto/secret_bytes.h"

namespace edgehose::s3ec {

using DataKey = SecretBytes<32>;

constexpr std::size_t kTagBytes = 16;
// SP 800-38D 5.2.1.1: 2^39 - 256 bits under one key and IV.
constexpr std::uint64_t kMaxGcmBytes = (std::uint64_t{1} << 36) - 32;

// One message. Its key and its IV (12 bytes) seal no other one; who calls sees to that. What
// update() gives while it opens is authentic only once verify() was true.
class Gcm {
 public:
  enum class Mode { kSeal, kOpen };
  static Result<Gcm> make(Mode mode, const DataKey& key, std::string_view iv,
                          std::string_view associated);

  // As many bytes to `out` as come in.
  Status update(std::string_view in, char* out);
  Result<std::string> tag();                  // ends it, where it seals
  Result<bool> verify(std::string_view tag);  // ends it, where it opens

 private:
  explicit Gcm(CipherContext context) : context_(std::move(context)) {}
  CipherContext context_;
};

}  // namespace edgehose::s3ec
