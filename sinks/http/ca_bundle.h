// Where the system keeps the certificates it trusts: distributions differ.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

// The places that are tried, in their order.
std::span<const char* const> ca_bundle_places();

// `configured` where it is set; else $SSL_CERT_FILE, else the first place that can be read. The
// error names what was tried and what to do. Never falls back to no verification.
Result<std::string> find_ca_bundle(const std::string& configured,
                                   std::span<const char* const> places = ca_bundle_places());

}  // namespace edgehose
