#include "sinks/aws/digest.h"

#include <openssl/evp.h>

#include "agent/base/check.h"
#include "agent/base/text.h"

namespace edgehose::aws {
namespace {

constexpr std::size_t kDigestBytes = 32;

unsigned char* octets(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }
const unsigned char* octets(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string digest(kDigestBytes, '\0');
  EH_CHECK(EVP_Digest(bytes.data(), bytes.size(), octets(digest), nullptr, EVP_sha256(), nullptr) ==
           1);
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string mac(kDigestBytes, '\0');
  std::size_t size = 0;
  EH_CHECK(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                     octets(bytes), bytes.size(), octets(mac), mac.size(), &size) != nullptr);
  return mac;
}

}  // namespace edgehose::aws
