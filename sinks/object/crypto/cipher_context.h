// CipherContext: an EVP_CIPHER_CTX of OpenSSL's, whose key is wiped when it goes.
//
// Threading: one thread at a time.
#pragma once

#include <memory>

struct evp_cipher_ctx_st;

namespace edgehose {

struct CipherContextFreer {
  void operator()(evp_cipher_ctx_st* context) const;
};
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, CipherContextFreer>;

// Null where there is no memory.
CipherContext new_cipher_context();

}  // namespace edgehose
