#include "sinks/events/events_auth.h"

#include <cstdlib>

#include "agent/base/base64.h"
#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

// A line end would begin a header of its own.
Result<std::string> header_text(const SecretRef& secret, std::string_view what) {
  auto read = secret.read_text();
  if (!read) return tl::unexpected(std::move(read).error().with_context(what));
  std::string text(read->reveal());
  if (text.empty() || text.find_first_of("\r\n") != std::string::npos)
    return fail(ErrorCode::kAuth, "{}: {} holds nothing, or more than one line", what,
                secret.text());
  return text;
}

HttpHeader secret_header(std::string value) { return {"authorization", std::move(value), true}; }

std::string region_of_host(const std::string& endpoint) {
  constexpr std::string_view kDomain = ".amazonaws.com";
  const std::size_t end = endpoint.find(kDomain);
  if (end == std::string::npos) return {};
  // ...REGION.SERVICE.amazonaws.com
  const std::size_t service = endpoint.rfind('.', end - 1);
  if (service == std::string::npos || service == 0) return {};
  const std::size_t region = endpoint.rfind('.', service - 1);
  if (region == std::string::npos) return {};
  return endpoint.substr(region + 1, service - region - 1);
}

std::string region_of_environment() {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

std::string not_a_user(const std::string& user) {
  return user.find(':') == std::string::npos ? "" : "must not hold a ':'";
}

std::string not_a_region(const std::string& region) {
  return region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos
             ? ""
             : "is no region's name, such as \"eu-west-1\"";
}

}  // namespace

Fields<EventsAuth> events_auth_fields() {
  using A = EventsAuth;
  return Fields<A>{
      field<&A::user>("user", "Who you are, with a `password`.")
          .check(not_a_user)
          .example("\"writer\""),
      field<&A::password>("password", "That user's password."),
      field<&A::api_key>("api_key", "An API key: `ID:KEY`, or as the server gave it, encoded."),
      field<&A::bearer>("bearer", "A token that is sent as it is."),
      choice<&A::sigv4>("sigv4", {{"es", std::string("es")}, {"aoss", std::string("aoss")}},
                        "Requests are signed for AWS: `es` for OpenSearch Service, `aoss` for "
                        "OpenSearch Serverless. See `credentials`.")
          .unset_means("not signed"),
      field<&A::region>("region", "Of `sigv4`.")
          .check(not_a_region)
          .unset_means("the endpoint's name tells it; AWS_REGION, AWS_DEFAULT_REGION")
          .example("\"eu-west-1\""),
  }
      .rule({"password", "user"},
            [](const A& auth) {
              return auth.password.set() == auth.user.empty() ? "goes with \"user\": give both"
                                                              : "";
            })
      .rule({"region", "sigv4"},
            [](const A& auth) {
              return !auth.region.empty() && !auth.is_signed() ? "goes with \"sigv4\"" : "";
            })
      .rule({"user", "api_key", "bearer", "sigv4"}, [](const A& auth) {
        const int ways = int(!auth.user.empty()) + int(auth.api_key.set()) +
                         int(auth.bearer.set()) + int(auth.is_signed());
        return ways <= 1 ? "" : "give one of user, api_key, bearer and sigv4";
      });
}

Result<std::optional<HttpHeader>> authorization(const EventsAuth& auth) {
  if (!auth.user.empty()) {
    EH_ASSIGN(const std::string password, header_text(auth.password, "auth.password"));
    return secret_header("Basic " + encode_base64(auth.user + ":" + password, true));
  }
  if (auth.api_key.set()) {
    EH_ASSIGN(const std::string key, header_text(auth.api_key, "auth.api_key"));
    const bool pair = key.find(':') != std::string::npos;
    return secret_header("ApiKey " + (pair ? encode_base64(key, true) : key));
  }
  if (auth.bearer.set()) {
    EH_ASSIGN(const std::string token, header_text(auth.bearer, "auth.bearer"));
    return secret_header("Bearer " + token);
  }
  if (auth.token.set()) {
    EH_ASSIGN(const std::string token, header_text(auth.token, "token"));
    return secret_header(auth.token_scheme + " " + token);
  }
  return std::nullopt;
}

Result<EventsAuth> with_region(EventsAuth auth, const std::string& endpoint) {
  if (!auth.is_signed()) return auth;
  if (auth.region.empty()) auth.region = region_of_host(endpoint);
  if (auth.region.empty()) auth.region = region_of_environment();
  if (auth.region.empty())
    return fail(ErrorCode::kInvalid,
                "auth: give the \"region\" that requests are signed for: neither the endpoint's "
                "name nor AWS_REGION tells it");
  return auth;
}

}  // namespace edgehose
