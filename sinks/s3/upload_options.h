// How S3 keeps an object: the options of an upload that are headers of their own, declared once and
// rendered purely.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
// .../API_CreateMultipartUpload.html, API_UploadPart.html
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/types.h"
#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"
#include "sinks/http_message.h"
#include "sinks/s3/checksum.h"

namespace edgehose {

struct S3Encryption {
  enum class Kind { kBucketDefault, kS3, kKms, kKmsDsse, kCustomer };
  Kind kind = Kind::kBucketDefault;
  std::string kms_key;                         // id, ARN or alias; empty: the account's aws/s3
  std::map<std::string, std::string> context;  // of KMS
  std::optional<bool> bucket_key;
  SecretRef customer_key;  // SSE-C: 32 bytes, or their base64
};

struct S3ObjectLock {
  enum class Mode { kNone, kGovernance, kCompliance };
  Mode mode = Mode::kNone;
  Duration retain{};  // from the upload on
  bool legal_hold = false;
};

struct S3UploadOptions {
  std::string storage_class;            // empty: the bucket's default, STANDARD
  std::string storage_class_unchecked;  // one that this version does not know
  std::map<std::string, std::string> tags;
  std::map<std::string, std::string> metadata;
  S3Encryption encryption;
  S3ObjectLock lock;
  S3Checksum checksum = S3Checksum::kCrc64Nvme;
  std::string expected_bucket_owner;
  std::string content_type = "application/octet-stream";
  std::string content_encoding;
  bool requester_pays = false;
  bool create_only = false;  // If-None-Match: *
};

config::Fields<S3UploadOptions> s3_upload_fields();

// The names that this version knows, in their order.
const std::vector<std::string>& s3_storage_classes();

// Where in the life of an object a header belongs.
enum class S3Call { kPut, kHead, kCreateMultipart, kUploadPart, kCompleteMultipart, kOther };

// `now` is for the lock's date; `customer_key` the 32 bytes, where encryption is kCustomer.
std::vector<HttpHeader> s3_headers(const S3UploadOptions& options, S3Call call, WallTime now,
                                   const Secret& customer_key);

// What tells which SSE-C key an object was stored under, without telling the key: 16 hexadecimal
// digits of its SHA-256, in each such object's metadata under this name.
constexpr const char* kCustomerKeyIdName = "edgehose-sse-c-key-id";
std::string customer_key_id(const Secret& customer_key);

// User metadata that S3 keeps of an object, in all: names and values.
constexpr std::size_t kMaxMetadataBytes = 2048;
std::size_t metadata_bytes(const std::map<std::string, std::string>& metadata);

// The 32 bytes of an SSE-C key, as they are now: a file may have been replaced. Empty where
// encryption is of another kind; the error says what they must be.
Result<Secret> read_customer_key(const S3Encryption& encryption);

}  // namespace edgehose
