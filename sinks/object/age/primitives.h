// The cryptography that age v1 is built from, over OpenSSL's EVP: X25519 (RFC 7748), HKDF-SHA-256
// (RFC 5869), HMAC-SHA-256, ChaCha20-Poly1305 (RFC 8439).
//
// Threading: values; an Aead belongs to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/result.h"
#include "sinks/object/crypto/cipher_context.h"
#include "sinks/object/crypto/secret_bytes.h"

namespace edgehose::age {

using Key = SecretBytes<32>;
using FileKey = SecretBytes<16>;
using Point = std::array<std::uint8_t, 32>;  // of Curve25519, public

inline std::string_view view(const Point& p) {
  return {reinterpret_cast<const char*>(p.data()), p.size()};
}

Result<Point> x25519_public(const Key& secret);
// kCorrupt where the result is all zero: the peer's point is of low order.
Result<Key> x25519(const Key& secret, const Point& peer);

Result<Key> hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info);
Result<Point> hmac_sha256(const Key& key, std::string_view data);

// ChaCha20-Poly1305 under one key, without associated data. A nonce is used once per key; who calls
// sees to that.
class Aead {
 public:
  using Nonce = std::array<std::uint8_t, 12>;
  static constexpr std::size_t kTagBytes = 16;

  static Result<Aead> make(const Key& key);

  // Appends ciphertext and tag.
  Status seal(const Nonce& nonce, std::string_view plain, std::string& out);
  // Replaces `out` by the plaintext; false, and `out` empty, where the tag does not fit.
  Result<bool> open(const Nonce& nonce, std::string_view sealed, std::string& out);

 private:
  explicit Aead(CipherContext context) : context_(std::move(context)) {}
  CipherContext context_;
};

}  // namespace edgehose::age
