#include "sinks/s3/s3_requests.h"

#include "sinks/aws/digest.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

// From here on S3 is asked before the body goes: a refusal then costs an answer, not an upload.
constexpr std::uint64_t kAskFirstBytes = 16 << 10;

}  // namespace

AwsClientOptions s3_client_options(const S3Config& config, HttpClientOptions http,
                                   aws::Environment environment) {
  AwsClientOptions client;
  client.name = config.common.name;
  client.http = std::move(http);
  client.http.config = config.http;
  client.credentials = config.credentials;
  client.region = config.bucket.region;
  client.service = "s3";
  client.environment = std::move(environment);
  return client;
}

S3UploadOptions options_of(const S3Place& place, bool create_only) {
  S3UploadOptions options = place.options;
  options.create_only = options.create_only || create_only;
  if (place.metadata != nullptr)
    options.metadata.insert(place.metadata->begin(), place.metadata->end());
  return options;
}

AwsRequest request_for(const S3Place& place, const char* method, const std::string& query) {
  AwsRequest request;
  request.http.method = method;
  request.http.url = place.endpoint.url(place.key) + (query.empty() ? "" : "?" + query);
  request.region = place.region;
  request.payload_hash = aws::sha256_hex("");
  request.remedy = s3_remedy;
  return request;
}

bool signs_payload(const S3UploadOptions& options, const S3Endpoint& endpoint) {
  return !endpoint.uses_tls() || options.checksum == S3Checksum::kNone;
}

void add_checksum(AwsRequest& request, S3Checksum kind, const std::string& value) {
  if (value.empty()) return;
  request.http.headers.push_back({std::string(checksum_header(kind)), value});
  // An object lock asks for this one beside it.
  request.http.headers.push_back(
      {"x-amz-sdk-checksum-algorithm", std::string(checksum_algorithm(kind))});
}

void send_body(AwsRequest& request, std::shared_ptr<RequestBody> body,
               const std::string& payload_hash) {
  request.http.expect_continue = body->size() >= kAskFirstBytes;
  request.http.body = std::move(body);
  request.payload_hash = payload_hash.empty() ? std::string(aws::kUnsignedPayload) : payload_hash;
}

AwsRequest put_object(const S3Place& place, const UploadFacts& facts,
                      std::shared_ptr<RequestBody> body, bool create_only, WallTime now,
                      const Secret& customer_key) {
  const S3UploadOptions options = options_of(place, create_only);
  AwsRequest request = request_for(place, "PUT");
  request.http.headers = s3_headers(options, S3Call::kPut, now, customer_key);
  add_checksum(request, options.checksum, facts.checksum);
  send_body(request, std::move(body), facts.payload_hash);
  return request;
}

AwsRequest head_object(const S3Place& place, const Secret& customer_key) {
  AwsRequest request = request_for(place, "HEAD");
  request.http.headers = s3_headers(place.options, S3Call::kHead, WallTime{}, customer_key);
  if (place.options.checksum != S3Checksum::kNone)
    request.http.headers.push_back({"x-amz-checksum-mode", "ENABLED"});
  return request;
}

}  // namespace edgehose
