#include "sinks/aws/container.h"

#include "agent/base/text.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/aws/uri.h"

namespace edgehose::aws {
namespace {

constexpr const char* kRelative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
constexpr const char* kFull = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kAuthorizationFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
constexpr const char* kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

// "127.x.y.z" as an address, not a name that begins so.
bool is_loopback_v4(std::string_view host) {
  int dots = 0;
  for (const char c : host) {
    if (c == '.')
      ++dots;
    else if (c < '0' || c > '9')
      return false;
  }
  return host.starts_with("127.") && dots == 3;
}

// Whom a token may be shown without TLS.
bool is_near(std::string_view host) {
  for (const std::string_view near :
       {"localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"})
    if (host == near) return true;
  return is_loopback_v4(host);
}

Result<std::string> authorization(Search& search) {
  const std::string path = search.env.get(kAuthorizationFile);
  if (path.empty()) return search.env.get(kToken);
  auto token = search.talk.file({.path = path, .limit = 64 << 10});
  if (!token) {
    Error error = std::move(token).error();
    if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kAuth;  // it is set up
    return tl::unexpected(std::move(error).with_context(kAuthorizationFile));
  }
  return std::string(trimmed(*token));
}

}  // namespace

Result<std::string> container_url(const Environment& env) {
  if (const std::string relative = env.get(kRelative); !relative.empty()) {
    if (relative[0] != '/') return fail(ErrorCode::kInvalid, "{} must begin with '/'", kRelative);
    return "http://169.254.170.2" + relative;
  }
  std::string url = env.get(kFull);
  if (url.empty()) return fail(ErrorCode::kNotFound, "neither {} nor {} is set", kRelative, kFull);
  const std::string host = lower_case(std::string(host_of(url)));
  if (host.empty()) return fail(ErrorCode::kInvalid, "{}: the URL has no host", kFull);
  if (url.starts_with("https://")) return url;
  if (url.starts_with("http://") && is_near(host)) return url;
  return fail(ErrorCode::kInvalid,
              "{}: the host {} may be asked over https only; without TLS only this machine and "
              "its container service are",
              kFull, printable(host));
}

Result<Credentials> container_credentials(Search& search) {
  EH_ASSIGN(const std::string url, container_url(search.env));
  EH_ASSIGN(const std::string token, authorization(search));
  if (token.find_first_of("\r\n") != std::string::npos)
    return fail(ErrorCode::kInvalid, "the container's authorization token has a line break in it");
  HttpAsk ask{.method = "GET",
              .url = url,
              .headers = {{"Accept", "application/json"}},
              .connect_timeout = std::chrono::seconds(2),
              .total_timeout = std::chrono::seconds(5),
              .direct = !url.starts_with("https://")};
  if (!token.empty()) ask.headers.push_back({"Authorization", token, /*secret=*/true});
  EH_ASSIGN(const HttpAnswer answer, search.talk.http_with_retries(ask));
  const std::string_view host = host_of(url);
  if (answer.status == 0)
    return fail(ErrorCode::kUnavailable, "no answer from {} ({})", host, answer.problem);
  if (answer.status != 200)
    return fail(answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kAuth, "{} answered {}",
                host, answer.status);
  return parse_credentials(answer.body, kMetadataLayout, "container");
}

}  // namespace edgehose::aws
