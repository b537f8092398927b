// HKDF (RFC 5869), over OpenSSL's EVP.
//
// Threading: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

enum class HkdfDigest { kSha256, kSha512 };

// `size` bytes to `out`. An empty salt is none: as many zeros as the digest has bytes.
Status hkdf(HkdfDigest digest, std::string_view secret, std::string_view salt,
            std::string_view info, std::uint8_t* out, std::size_t size);

}  // namespace edgehose
