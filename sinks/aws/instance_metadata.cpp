#include "sinks/aws/instance_metadata.h"

#include "agent/base/text.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/aws/uri.h"

namespace edgehose::aws {
namespace {

constexpr const char* kTokenPath = "/latest/api/token";
constexpr const char* kRolePath = "/latest/meta-data/iam/security-credentials/";
constexpr const char* kRegionPath = "/latest/meta-data/placement/region";

// It is on this machine's own link, or there is none: either shows at once.
HttpAsk metadata_ask(std::string method, std::string url, HttpHeader header) {
  return {.method = std::move(method),
          .url = std::move(url),
          .headers = {std::move(header)},
          .connect_timeout = std::chrono::seconds(1),
          .total_timeout = std::chrono::seconds(3),
          .direct = true};
}

class Metadata {
 public:
  static Result<Metadata> open(Search& search) {
    if (search.env.is_true("AWS_EC2_METADATA_DISABLED"))
      return fail(ErrorCode::kNotFound, "switched off by AWS_EC2_METADATA_DISABLED");
    EH_ASSIGN(std::string endpoint, metadata_endpoint(search));
    EH_ASSIGN(HttpAnswer token, search.talk.http_with_retries(metadata_ask(
                                    "PUT", endpoint + kTokenPath,
                                    {"X-aws-ec2-metadata-token-ttl-seconds", "21600"})));
    if (token.status == 0)
      return fail(ErrorCode::kNotFound,
                  "no answer from {} ({}); in a container on an instance, the instance's "
                  "http-put-response-hop-limit must be 2",
                  endpoint, token.problem);
    if (token.status == 403)
      return fail(ErrorCode::kAuth, "{} is switched off for this instance (403)", endpoint);
    if (token.status != 200 || token.body.empty() ||
        token.body.find_first_of("\r\n") != std::string::npos)
      return fail(ErrorCode::kUnavailable, "{} gave no token (status {})", endpoint, token.status);
    return Metadata(search.talk, std::move(endpoint), std::move(token.body));
  }

  Result<std::string> get(const std::string& path) {
    EH_ASSIGN(HttpAnswer answer,
              talk_->http_with_retries(metadata_ask(
                  "GET", endpoint_ + path, {"X-aws-ec2-metadata-token", token_, /*secret=*/true})));
    if (answer.status == 200) return std::move(answer.body);
    const auto code = answer.status == 404 ? ErrorCode::kNotFound : ErrorCode::kUnavailable;
    if (answer.status == 0) return fail(code, "no answer from {} ({})", endpoint_, answer.problem);
    return fail(code, "{} answered {} to {}", endpoint_, answer.status, path);
  }

 private:
  Metadata(Conversation& talk, std::string endpoint, std::string token)
      : talk_(&talk), endpoint_(std::move(endpoint)), token_(std::move(token)) {}

  Conversation* talk_;
  std::string endpoint_;
  std::string token_;
};

}  // namespace

Result<std::string> metadata_endpoint(const Search& search) {
  std::string endpoint =
      search.setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
  if (!endpoint.empty()) {
    if (host_of(endpoint).empty() || endpoint.find_first_of(" \t\r\n") != std::string::npos)
      return fail(ErrorCode::kInvalid, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL: {}",
                  printable(endpoint));
    while (endpoint.ends_with('/')) endpoint.pop_back();
    return endpoint;
  }
  const std::string mode = search.setting("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                          "ec2_metadata_service_endpoint_mode");
  if (mode.empty() || lower_case(mode) == "ipv4") return "http://169.254.169.254";
  if (lower_case(mode) == "ipv6") return "http://[fd00:ec2::254]";
  return fail(ErrorCode::kInvalid,
              "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is `{}`, not IPv4 or IPv6", printable(mode));
}

Result<Credentials> instance_credentials(Search& search) {
  EH_ASSIGN(Metadata metadata, Metadata::open(search));
  auto role = metadata.get(kRolePath);
  if (!role && role.error().code == ErrorCode::kNotFound && !search.talk.waiting())
    return fail(ErrorCode::kNotFound, "this instance has no IAM role; attach one");
  if (!role) return tl::unexpected(std::move(role).error());
  const std::string name(trimmed(std::string_view(*role).substr(0, role->find('\n'))));
  if (name.empty()) return fail(ErrorCode::kNotFound, "this instance has no IAM role; attach one");
  EH_ASSIGN(const std::string document,
            metadata.get(kRolePath + uri_encode(name, Slash::kEncoded)));
  EH_ASSIGN(Credentials found, parse_credentials(document, kMetadataLayout,
                                                 "instance metadata, role " + printable(name)));
  found.good_after_expiry = true;
  return found;
}

Result<std::string> instance_region(Search& search) {
  EH_ASSIGN(Metadata metadata, Metadata::open(search));
  EH_ASSIGN(const std::string region, metadata.get(kRegionPath));
  return std::string(trimmed(region));
}

}  // namespace edgehose::aws
