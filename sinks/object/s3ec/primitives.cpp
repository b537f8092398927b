#include "sinks/object/s3ec/primitives.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>
#include <utility>

namespace edgehose::s3ec {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
using KdfPtr = std::unique_ptr<EVP_KDF, Freer<EVP_KDF, EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX, EVP_KDF_CTX_free>>;

tl::unexpected<Error> crypto_failed(std::string_view what) {
  return fail(ErrorCode::kIo, "OpenSSL: {} failed", what);
}

const unsigned char* octets(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

}  // namespace

Result<Gcm> Gcm::make(Mode mode, const DataKey& key, std::string_view iv,
                      std::string_view associated) {
  Gcm made(EVP_CIPHER_CTX_new());
  int n = 0;
  // 12 bytes of IV are what OpenSSL takes unless told otherwise.
  if (!made.context_ || iv.size() != 12 ||
      EVP_CipherInit_ex(made.context_, EVP_aes_256_gcm(), nullptr, key.bytes.data(), octets(iv),
                        mode == Mode::kSeal ? 1 : 0) != 1 ||
      EVP_CipherUpdate(made.context_, nullptr, &n, octets(associated),
                       static_cast<int>(associated.size())) != 1)
    return crypto_failed("AES-256-GCM");
  return made;
}

Gcm::Gcm(Gcm&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Gcm& Gcm::operator=(Gcm&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}
Gcm::~Gcm() { EVP_CIPHER_CTX_free(context_); }  // wipes the key

Status Gcm::update(std::string_view in, char* out) {
  int n = 0;
  if (in.empty()) return {};
  if (EVP_CipherUpdate(context_, reinterpret_cast<unsigned char*>(out), &n, octets(in),
                       static_cast<int>(in.size())) != 1 ||
      n != static_cast<int>(in.size()))
    return crypto_failed("AES-256-GCM");
  return {};
}

Result<std::string> Gcm::tag() {
  std::string tag(kTagBytes, '\0');
  unsigned char none[16];
  int n = 0;
  if (EVP_CipherFinal_ex(context_, none, &n) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) != 1)
    return crypto_failed("AES-256-GCM");
  return tag;
}

Result<bool> Gcm::verify(std::string_view tag) {
  unsigned char none[16];
  int n = 0;
  if (tag.size() != kTagBytes || EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                                                     const_cast<char*>(tag.data())) != 1)
    return crypto_failed("AES-256-GCM");
  return EVP_CipherFinal_ex(context_, none, &n) == 1;
}

Status hkdf_sha512(std::string_view secret, std::string_view salt, std::string_view info,
                   std::uint8_t* out, std::size_t size) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContextPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  char digest[] = "SHA512";
  const auto octet_string = [](const char* name, std::string_view s) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(s.data()), s.size());
  };
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octet_string(OSSL_KDF_PARAM_KEY, secret),
      octet_string(OSSL_KDF_PARAM_SALT, salt),
      octet_string(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  if (!context || EVP_KDF_derive(context.get(), out, size, params) != 1)
    return crypto_failed("HKDF");
  return {};
}

}  // namespace edgehose::s3ec
