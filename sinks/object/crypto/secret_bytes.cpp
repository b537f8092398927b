#include "sinks/object/crypto/secret_bytes.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace edgehose {

void wipe(void* bytes, std::size_t size) { OPENSSL_cleanse(bytes, size); }

Status random_bytes(std::uint8_t* out, std::size_t size) {
  if (RAND_priv_bytes(out, static_cast<int>(size)) != 1)
    return fail(ErrorCode::kIo, "OpenSSL: drawing random bytes failed");
  return {};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace edgehose
