// What code over OpenSSL's EVP repeats.
//
// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

// Deletes what OpenSSL made, for a unique_ptr.
template <class T, void (*Free)(T*)>
struct OpensslFreer {
  void operator()(T* p) const { Free(p); }
};

inline tl::unexpected<Error> crypto_failed(std::string_view what) {
  return fail(ErrorCode::kIo, "OpenSSL: {} failed", what);
}

inline unsigned char* octets(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }
inline const unsigned char* octets(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

}  // namespace edgehose
