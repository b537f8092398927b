#include "sinks/http/ca_bundle.h"

#include <fcntl.h>

#include <cstdlib>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr const char* kPlaces[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Yocto
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL 7 and later
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/ssl/cert.pem",                                  // Alpine, OpenWrt
    "/etc/pki/tls/cacert.pem",                            // OpenELEC
};

}  // namespace

std::span<const char* const> ca_bundle_places() { return kPlaces; }

Result<std::string> find_ca_bundle(const std::string& configured,
                                   std::span<const char* const> places) {
  if (!configured.empty()) {
    if (auto file = open_file(configured, O_RDONLY); !file)
      return tl::unexpected<Error>(std::move(file).error().with_context("tls.ca_file"));
    return configured;
  }
  if (const char* named = std::getenv("SSL_CERT_FILE"); named != nullptr && *named != '\0') {
    if (auto file = open_file(named, O_RDONLY); !file)
      return tl::unexpected<Error>(std::move(file).error().with_context("SSL_CERT_FILE"));
    return std::string(named);
  }
  std::string tried;
  for (const char* place : places) {
    if (open_file(place, O_RDONLY)) return std::string(place);
    tried += tried.empty() ? place : std::string(", ") + place;
  }
  return fail(ErrorCode::kNotFound,
              "no certificates to trust: none of {} can be read; install the package "
              "ca-certificates, or set tls.ca_file",
              tried);
}

}  // namespace edgehose
