#include "sinks/object/age/primitives.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sinks/object/crypto/hkdf.h"
#include "sinks/object/crypto/openssl.h"

namespace edgehose::age {
namespace {

using PkeyPtr = std::unique_ptr<EVP_PKEY, OpensslFreer<EVP_PKEY, EVP_PKEY_free>>;
using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslFreer<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;

PkeyPtr private_key(const Key& secret) {
  return PkeyPtr(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.bytes.data(),
                                              secret.bytes.size()));
}

}  // namespace

Result<Point> x25519_public(const Key& secret) {
  const PkeyPtr key = private_key(secret);
  Point point;
  std::size_t size = point.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), point.data(), &size) != 1)
    return crypto_failed("X25519");
  return point;
}

Result<Key> x25519(const Key& secret, const Point& peer) {
  const PkeyPtr ours = private_key(secret);
  const PkeyPtr theirs(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()));
  if (!ours || !theirs) return crypto_failed("X25519");
  const PkeyContextPtr context(EVP_PKEY_CTX_new(ours.get(), nullptr));
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1)
    return crypto_failed("X25519");
  Key shared;
  std::size_t size = shared.bytes.size();
  // OpenSSL refuses an all-zero result itself; checked here too, because age depends on it.
  const bool derived = EVP_PKEY_derive(context.get(), shared.bytes.data(), &size) == 1;
  if (!derived || equal_in_constant_time(shared.view(), Key().view()))
    return fail(ErrorCode::kCorrupt, "X25519: a point of low order");
  return shared;
}

Result<Key> hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info) {
  Key key;
  EH_TRY(hkdf(HkdfDigest::kSha256, secret, salt, info, key.bytes.data(), key.bytes.size()));
  return key;
}

Result<Point> hmac_sha256(const Key& key, std::string_view data) {
  Point mac;
  unsigned size = mac.size();
  if (!HMAC(EVP_sha256(), key.bytes.data(), static_cast<int>(key.bytes.size()), octets(data),
            data.size(), mac.data(), &size))
    return crypto_failed("HMAC");
  return mac;
}

Result<Aead> Aead::make(const Key& key) {
  Aead made(new_cipher_context());
  if (!made.context_ || EVP_CipherInit_ex(made.context_.get(), EVP_chacha20_poly1305(), nullptr,
                                          key.bytes.data(), nullptr, 1) != 1)
    return crypto_failed("ChaCha20-Poly1305");
  return made;
}

Status Aead::seal(const Nonce& nonce, std::string_view plain, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + plain.size() + kTagBytes);
  auto* const to = reinterpret_cast<unsigned char*>(out.data() + at);
  int n = 0, end = 0;
  if (EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), 1) != 1 ||
      (!plain.empty() && EVP_CipherUpdate(context_.get(), to, &n, octets(plain),
                                          static_cast<int>(plain.size())) != 1) ||
      EVP_CipherFinal_ex(context_.get(), to + n, &end) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, to + plain.size()) != 1)
    return crypto_failed("ChaCha20-Poly1305");
  return {};
}

Result<bool> Aead::open(const Nonce& nonce, std::string_view sealed, std::string& out) {
  out.clear();
  if (sealed.size() < kTagBytes) return false;
  const std::size_t size = sealed.size() - kTagBytes;
  out.resize(size + 1);  // OpenSSL wants somewhere to write even for nothing
  auto* const to = reinterpret_cast<unsigned char*>(out.data());
  auto* const tag = const_cast<char*>(sealed.data() + size);
  int n = 0, end = 0;
  if (EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), 0) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) != 1 ||
      (size > 0 &&
       EVP_CipherUpdate(context_.get(), to, &n, octets(sealed), static_cast<int>(size)) != 1))
    return crypto_failed("ChaCha20-Poly1305");
  const bool fits = EVP_CipherFinal_ex(context_.get(), to + n, &end) == 1;
  if (!fits) wipe(out);
  out.resize(fits ? size : 0);
  return fits;
}

}  // namespace edgehose::age
