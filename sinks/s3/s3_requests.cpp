#include "sinks/s3/s3_requests.h"

#include "sinks/aws/digest.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

// From here on S3 is asked before the body goes: a refusal then costs an answer, not an upload.
constexpr std::uint64_t kAskFirstBytes = 16 << 10;

}  // namespace

bool signs_payload(const S3UploadOptions& options, const S3Endpoint& endpoint) {
  return !endpoint.uses_tls() || options.checksum == S3Checksum::kNone;
}

AwsRequest put_object(const S3Place& place, const UploadFacts& facts,
                      std::shared_ptr<RequestBody> body, bool create_only, WallTime now,
                      const Secret& customer_key) {
  S3UploadOptions options = place.options;
  options.create_only = options.create_only || create_only;
  AwsRequest request;
  request.http.method = "PUT";
  request.http.url = place.endpoint.url(place.key);
  request.http.headers = s3_headers(options, S3Call::kPut, now, customer_key);
  if (!facts.checksum.empty()) {
    request.http.headers.push_back(
        {std::string(checksum_header(options.checksum)), facts.checksum});
    // An object lock asks for this one beside it.
    request.http.headers.push_back(
        {"x-amz-sdk-checksum-algorithm", std::string(checksum_algorithm(options.checksum))});
  }
  request.http.body = std::move(body);
  request.http.expect_continue = facts.size >= kAskFirstBytes;
  request.region = place.region;
  request.payload_hash =
      facts.payload_hash.empty() ? std::string(aws::kUnsignedPayload) : facts.payload_hash;
  request.remedy = s3_remedy;
  return request;
}

AwsRequest head_object(const S3Place& place, const Secret& customer_key) {
  AwsRequest request;
  request.http.method = "HEAD";
  request.http.url = place.endpoint.url(place.key);
  request.http.headers = s3_headers(place.options, S3Call::kHead, WallTime{}, customer_key);
  if (place.options.checksum != S3Checksum::kNone)
    request.http.headers.push_back({"x-amz-checksum-mode", "ENABLED"});
  request.region = place.region;
  request.payload_hash = aws::sha256_hex("");
  request.remedy = s3_remedy;
  return request;
}

}  // namespace edgehose
