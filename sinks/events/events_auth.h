// Who a sink is to its service: the options `auth = { ... }`, and the header that they make.
#pragma once

#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"
#include "sinks/http_message.h"

namespace edgehose {

// One of: user and password, api_key, bearer, token, sigv4; or none.
struct EventsAuth {
  std::string user;
  SecretRef password;
  SecretRef api_key;
  SecretRef bearer;
  SecretRef token;           // of a service with a scheme of its own: an option of its sink's
  std::string token_scheme;  // "Splunk"
  std::string sigv4;         // AWS's name of the service: "es", "aoss"; empty: not signed
  std::string region;        // of sigv4; empty: see with_region()

  bool is_signed() const { return !sigv4.empty(); }
};

config::Fields<EventsAuth> events_auth_fields();

// The Authorization header; none where there is none, or requests are signed. The secret is read
// each time, so that a new one counts from the next request on.
Result<std::optional<HttpHeader>> authorization(const EventsAuth& auth);

// With the region that requests are signed for: the configured one, the one that the endpoint's
// name has (search-x.eu-west-1.es.amazonaws.com), AWS_REGION, AWS_DEFAULT_REGION. kInvalid: there
// is none.
Result<EventsAuth> with_region(EventsAuth auth, const std::string& endpoint);

}  // namespace edgehose
