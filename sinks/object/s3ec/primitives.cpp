#include "sinks/object/s3ec/primitives.h"

#include <openssl/evp.h>

#include "sinks/object/crypto/openssl.h"

namespace edgehose::s3ec {
Result<Gcm> Gcm::make(Mode mode, const DataKey& key, std::string_view iv,
                      std::string_view associated) {
  Gcm made(new_cipher_context());
  int n = 0;
  // 12 bytes of IV are what OpenSSL takes unless told otherwise.
  if (!made.context_ || iv.size() != 12 ||
      EVP_CipherInit_ex(made.context_.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data(),
                        octets(iv), mode == Mode::kSeal ? 1 : 0) != 1 ||
      EVP_CipherUpdate(made.context_.get(), nullptr, &n, octets(associated),
                       static_cast<int>(associated.size())) != 1)
    return crypto_failed("AES-256-GCM");
  return made;
}

Status Gcm::update(std::string_view in, char* out) {
  int n = 0;
  if (in.empty()) return {};
  if (EVP_CipherUpdate(context_.get(), reinterpret_cast<unsigned char*>(out), &n, octets(in),
                       static_cast<int>(in.size())) != 1 ||
      n != static_cast<int>(in.size()))
    return crypto_failed("AES-256-GCM");
  return {};
}

Result<std::string> Gcm::tag() {
  std::string tag(kTagBytes, '\0');
  unsigned char none[16];
  int n = 0;
  if (EVP_CipherFinal_ex(context_.get(), none, &n) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) != 1)
    return crypto_failed("AES-256-GCM");
  return tag;
}

Result<bool> Gcm::verify(std::string_view tag) {
  unsigned char none[16];
  int n = 0;
  if (tag.size() != kTagBytes || EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG,
                                                     kTagBytes, const_cast<char*>(tag.data())) != 1)
    return crypto_failed("AES-256-GCM");
  return EVP_CipherFinal_ex(context_.get(), none, &n) == 1;
}

}  // namespace edgehose::s3ec
