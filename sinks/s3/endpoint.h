// Where a bucket is: the URL of an object, as AWS's own clients choose it. Pure.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html and
// .../RESTAPI.html (endpoints of regions)
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

enum class S3Addressing {
  kAuto,     // virtual host at AWS, path at other endpoints and for buckets with dots
  kVirtual,  // https://BUCKET.host/KEY
  kPath,     // https://host/BUCKET/KEY
};

struct S3Bucket {
  std::string name;
  std::string region;
  std::string endpoint;  // "https://127.0.0.1:9000"; empty: AWS's own of the region
  S3Addressing addressing = S3Addressing::kAuto;
};

// Whether it may be a region's name, which becomes part of a URL: "eu-west-1".
bool is_region(std::string_view name);

class S3Endpoint {
 public:
  // The error says which part is wrong: a bucket's name, a region's, the endpoint's URL.
  static Result<S3Endpoint> resolve(const S3Bucket& bucket);

  // "https://host/path": what a request is sent to.
  std::string url(std::string_view key) const { return origin_ + path(key); }
  // The path in it, encoded as it is signed. An empty key is the bucket itself.
  std::string path(std::string_view key) const;
  const std::string& host() const {
    return host_;
  }  // with the port where it is not the scheme's own
  bool uses_tls() const { return origin_.starts_with("https://"); }

 private:
  std::string origin_;  // scheme and host
  std::string host_;
  std::string base_;  // path in front of the key, "" or "/prefix/bucket"
};

}  // namespace edgehose
