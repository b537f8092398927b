// The requests of an S3 sink, unsigned. Pure: what is sent, the instant and the keys are given.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, API_HeadObject.html
#pragma once

#include <map>
#include <string>

#include "agent/base/types.h"
#include "agent/config/secret.h"
#include "sinks/aws_client/aws_client.h"
#include "sinks/s3/s3_config.h"
#include "sinks/s3/upload_body.h"

namespace edgehose {

// Whether the payload's SHA-256 is signed: not over TLS, where S3 checks a checksum header instead.
bool signs_payload(const S3UploadOptions& options, const S3Endpoint& endpoint);

// How a client asks in this config's name.
AwsClientOptions s3_client_options(const S3Config& config, HttpClientOptions http,
                                   aws::Environment environment);

// What every request needs to know. References outlive the call.
struct S3Place {
  const S3UploadOptions& options;
  const S3Endpoint& endpoint;
  const std::string& region;
  const std::string& key;
  // Of this object (ObjectSummary::metadata), beside those of the options; null: none.
  const std::map<std::string, std::string>* metadata = nullptr;
};

// What a request that carries (part of) an object has beside its headers: its checksum's header,
// where there is one; its body, signed by `payload_hash`, or not where that is empty.
void add_checksum(AwsRequest& request, S3Checksum kind, const std::string& value);
void send_body(AwsRequest& request, std::shared_ptr<RequestBody> body,
               const std::string& payload_hash);

// The config's, with the metadata of this object. `create_only`: not where the key is taken,
// whatever the options say.
S3UploadOptions options_of(const S3Place& place, bool create_only = false);

// A request without a body or headers. `query` is encoded; empty: none.
AwsRequest request_for(const S3Place& place, const char* method, const std::string& query = "");

// PUT of a whole object.
AwsRequest put_object(const S3Place& place, const UploadFacts& facts,
                      std::shared_ptr<RequestBody> body, bool create_only, WallTime now,
                      const Secret& customer_key);

// What the bucket says of an object, its checksum included.
AwsRequest head_object(const S3Place& place, const Secret& customer_key);

}  // namespace edgehose
