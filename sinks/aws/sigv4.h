// AWS Signature Version 4: the headers that prove who sends a request. Pure: what is signed, the
// credentials and the instant are all given.
// Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//
// A path and a query are given as they are sent, percent-encoded; nothing may normalise them later.
// For S3 the path is signed as it is; for every other service it is normalised and encoded once
// more, so that what is sent as /a%2Ab is signed as /a%252Ab.
//
// Threading: the functions are pure; a Signer belongs to one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sinks/aws/ask.h"
#include "sinks/aws/credentials.h"

namespace edgehose::aws {

// Payload hashes that are no hashes. The first only over https and with a checksum header.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kStreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

struct SigningRequest {
  std::string method;
  std::string path;                 // from the first '/', as sent
  std::string query{};              // without '?', as sent
  std::vector<HttpHeader> headers;  // all of them are signed; "host" must be among them
  std::string payload_hash;         // sha256_hex() of the body, or one of the above
};

// In what services differ.
struct SigningRules {
  bool encode_twice = true;
  bool normalise = true;
  bool content_sha256 = false;     // X-Amz-Content-Sha256 is sent and signed
  bool sign_session_token = true;  // false: it is sent, not signed
};
SigningRules signing_rules(std::string_view service);

struct SigningScope {
  std::string region;
  std::string service;  // "s3", "es", "aoss", "sts"
};

// The steps, each as AWS names it.
std::string canonical_request(const SigningRequest& request, const SigningRules& rules);
std::string string_to_sign(std::string_view canonical_request, const SigningScope& scope,
                           WallTime at);
Secret signing_key(const Secret& secret_access_key, const SigningScope& scope, WallTime at);
std::string signature(const Secret& signing_key, std::string_view string_to_sign);  // hexadecimal

class Signer {
 public:
  explicit Signer(SigningScope scope) : Signer(scope, signing_rules(scope.service)) {}
  Signer(SigningScope scope, SigningRules rules) : scope_(std::move(scope)), rules_(rules) {}

  // The headers to send beside the request's own: X-Amz-Date, Authorization and, where they apply,
  // X-Amz-Security-Token and X-Amz-Content-Sha256. `at` should be within minutes of the server's
  // clock.
  std::vector<HttpHeader> sign(SigningRequest request, const Credentials& credentials, WallTime at);

 private:
  const Secret& key_of(const Credentials& credentials, WallTime at);

  SigningScope scope_;
  SigningRules rules_;
  // A derived key is good for a day; deriving it takes four of the five HMACs of a signature.
  std::string day_;
  Secret of_;  // the secret access key that it was derived from
  Secret key_;
};

}  // namespace edgehose::aws
