// SHA-256 and HMAC-SHA-256 over OpenSSL's EVP.
//
// Threading: pure. Nothing here can fail but an OpenSSL without SHA-256, which aborts.
#pragma once

#include <string>
#include <string_view>

namespace edgehose::aws {

std::string sha256(std::string_view bytes);                             // 32 bytes
std::string sha256_hex(std::string_view bytes);                         // 64 digits
std::string hmac_sha256(std::string_view key, std::string_view bytes);  // 32 bytes

}  // namespace edgehose::aws
