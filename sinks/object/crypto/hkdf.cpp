#include "sinks/object/crypto/hkdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>

#include "sinks/object/crypto/openssl.h"

namespace edgehose {
namespace {

using KdfPtr = std::unique_ptr<EVP_KDF, OpensslFreer<EVP_KDF, EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, OpensslFreer<EVP_KDF_CTX, EVP_KDF_CTX_free>>;

}  // namespace

Status hkdf(HkdfDigest digest, std::string_view secret, std::string_view salt,
            std::string_view info, std::uint8_t* out, std::size_t size) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContextPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  std::string name = digest == HkdfDigest::kSha256 ? "SHA256" : "SHA512";
  const auto octet_string = [](const char* key, std::string_view s) {
    return OSSL_PARAM_construct_octet_string(key, const_cast<char*>(s.data()), s.size());
  };
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name.data(), 0),
      octet_string(OSSL_KDF_PARAM_KEY, secret),
      octet_string(OSSL_KDF_PARAM_INFO, info),
      salt.empty() ? OSSL_PARAM_construct_end() : octet_string(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_end(),
  };
  if (!context || EVP_KDF_derive(context.get(), out, size, params) != 1)
    return crypto_failed("HKDF");
  return {};
}

}  // namespace edgehose
