#include "sinks/s3/endpoint.h"

#include <algorithm>

#include "sinks/aws/partition.h"
#include "sinks/aws/uri.h"

namespace edgehose {
namespace {

bool lower_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; other services are
// laxer (capitals, '_'), so that only what would break a URL is an error there.
Status check_bucket(const S3Bucket& bucket) {
  const std::string& name = bucket.name;
  if (name.starts_with("arn:"))
    return fail(ErrorCode::kInvalid,
                "bucket: \"{}\" is an ARN: give the bucket's name, or an access point's alias",
                name);
  const auto allowed = [&](char c) {
    return lower_alphanumeric(c) || c == '-' || c == '.' ||
           (!bucket.endpoint.empty() && (c == '_' || (c >= 'A' && c <= 'Z')));
  };
  if (name.size() < 3 || name.size() > 63 || !std::all_of(name.begin(), name.end(), allowed) ||
      name.front() == '.' || name.back() == '.' || name.front() == '-' || name.back() == '-' ||
      name.find("..") != std::string::npos)
    return fail(ErrorCode::kInvalid,
                "bucket: \"{}\" is no bucket's name: 3 to 63 of a-z, 0-9, '-' and '.', no dot or "
                "hyphen at either end",
                name);
  return {};
}

Status check_region(const std::string& region) {
  if (is_region(region)) return {};
  return fail(ErrorCode::kInvalid, "region: \"{}\" is no region's name, such as \"eu-west-1\"",
              region);
}

struct Url {
  std::string scheme, host, path;
};

Result<Url> split(const std::string& url) {
  const std::size_t mark = url.find("://");
  Url parts;
  if (mark != std::string::npos) {
    parts.scheme = url.substr(0, mark);
    const std::size_t slash = url.find('/', mark + 3);
    parts.host = url.substr(mark + 3, slash == std::string::npos ? slash : slash - mark - 3);
    if (slash != std::string::npos) parts.path = url.substr(slash);
    while (parts.path.ends_with('/')) parts.path.pop_back();
  }
  if ((parts.scheme != "https" && parts.scheme != "http") || parts.host.empty() ||
      url.find_first_of("?#@ ") != std::string::npos)
    return fail(
        ErrorCode::kInvalid,
        "endpoint: \"{}\" is no address such as \"https://127.0.0.1:9000\" (no credentials, "
        "no query)",
        url);
  return parts;
}

// "https://host:443" is sent, and signed, as "host".
std::string without_own_port(const Url& url) {
  const std::string_view own = url.scheme == "https" ? ":443" : ":80";
  return url.host.ends_with(own) ? url.host.substr(0, url.host.size() - own.size()) : url.host;
}

// A certificate for *.host matches no name with further dots; an IP address has no sub-domains.
bool fits_in_host(const S3Bucket& bucket, const Url& url) {
  return url.scheme == "http" || bucket.name.find('.') == std::string::npos;
}

bool virtual_host(const S3Bucket& bucket, const Url& url) {
  switch (bucket.addressing) {
    case S3Addressing::kVirtual: return true;
    case S3Addressing::kPath: return false;
    case S3Addressing::kAuto: return bucket.endpoint.empty() && fits_in_host(bucket, url);
  }
  return false;
}

}  // namespace

bool is_region(std::string_view name) {
  const auto allowed = [](char c) { return lower_alphanumeric(c) || c == '-'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), allowed);
}

Result<S3Endpoint> S3Endpoint::resolve(const S3Bucket& bucket) {
  EH_TRY(check_bucket(bucket));
  EH_TRY(check_region(bucket.region));
  const std::string& region = bucket.region;
  EH_ASSIGN(const Url url, split(bucket.endpoint.empty() ? fmt::format("https://s3.{}.{}", region,
                                                                       aws::domain_of(region))
                                                         : bucket.endpoint));
  S3Endpoint endpoint;
  endpoint.host_ = without_own_port(url);
  endpoint.base_ = url.path;
  if (virtual_host(bucket, url))
    endpoint.host_ = bucket.name + "." + endpoint.host_;
  else
    endpoint.base_ += "/" + bucket.name;
  endpoint.origin_ = url.scheme + "://" + endpoint.host_;
  return endpoint;
}

std::string S3Endpoint::path(std::string_view key) const {
  if (key.empty()) return base_.empty() ? "/" : base_;
  return base_ + "/" + aws::uri_encode(key, aws::Slash::kKept);
}

}  // namespace edgehose
