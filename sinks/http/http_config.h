// Options that every HTTP sink shares: proxy, TLS, rate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"

namespace edgehose {

struct ProxyConfig {
  std::string url;  // "http://proxy:3128", "https://..."; empty: what the environment says
  std::string user;
  SecretRef password;
  std::vector<std::string> exclude;  // hosts, domains, networks that are reached directly
};

enum class TlsVersion { k12, k13 };

struct TlsConfig {
  std::string ca_file;      // PEM; empty: the system's (ca_bundle.h)
  std::string certificate;  // PEM file of this client; empty: none
  SecretRef key;            // its private key, PEM
  TlsVersion min_version = TlsVersion::k12;
  bool verify = true;
};

constexpr std::uint64_t kSlowestUpload = 1 << 10, kFastestUpload = 1ull << 40;  // bytes a second

struct HttpConfig {
  ProxyConfig proxy;
  TlsConfig tls;
  std::optional<std::uint64_t> max_upload_rate;  // bytes a second, of this sink
};

config::Fields<HttpConfig> http_fields();  // what every HTTP sink includes

}  // namespace edgehose
