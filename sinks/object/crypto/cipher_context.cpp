#include "sinks/object/crypto/cipher_context.h"

#include <openssl/evp.h>

namespace edgehose {

void CipherContextFreer::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

CipherContext new_cipher_context() { return CipherContext(EVP_CIPHER_CTX_new()); }

}  // namespace edgehose
