// What an upload's options are as headers, and the keys that SSE-C takes.
#include <openssl/evp.h>

#include <array>

#include "agent/base/base64.h"
#include "agent/base/check.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "sinks/aws/digest.h"
#include "sinks/aws/uri.h"
#include "sinks/s3/upload_options.h"

namespace edgehose {
namespace {

constexpr std::size_t kCustomerKeyBytes = 32;
constexpr std::size_t kKeyIdDigits = 16;

std::string base64(std::string_view bytes) { return encode_base64(bytes, true); }

std::string md5_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EH_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) == 1);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

// As in a form: key=value&key=value.
std::string encode_tags(const std::map<std::string, std::string>& tags) {
  const auto encode = [](const std::string& part) {
    return aws::uri_encode(part, aws::Slash::kEncoded);
  };
  std::string text;
  for (const auto& [key, value] : tags) {
    text += (text.empty() ? "" : "&") + encode(key) + "=" + encode(value);
  }
  return text;
}

class Headers {
 public:
  void add(std::string name, std::string value, bool secret = false) {
    if (!value.empty()) list_.push_back({std::move(name), std::move(value), secret});
  }
  std::vector<HttpHeader> take() { return std::move(list_); }

 private:
  std::vector<HttpHeader> list_;
};

void add_encryption(Headers& headers, const S3Encryption& encryption) {
  using Kind = S3Encryption::Kind;
  const std::string name = "x-amz-server-side-encryption";
  switch (encryption.kind) {
    case Kind::kBucketDefault:
    case Kind::kCustomer: break;
    case Kind::kS3: headers.add(name, "AES256"); break;
    case Kind::kKms: headers.add(name, "aws:kms"); break;
    case Kind::kKmsDsse: headers.add(name, "aws:kms:dsse"); break;
  }
  headers.add(name + "-aws-kms-key-id", encryption.kms_key);
  if (!encryption.context.empty())
    headers.add(name + "-context", base64(Json(encryption.context).dump()));
  if (encryption.bucket_key)
    headers.add(name + "-bucket-key-enabled", *encryption.bucket_key ? "true" : "false");
}

void add_customer_key(Headers& headers, const Secret& key) {
  const std::string name = "x-amz-server-side-encryption-customer-";
  headers.add(name + "algorithm", "AES256");
  headers.add(name + "key", base64(key.reveal()), /*secret=*/true);
  headers.add(name + "key-MD5", base64(md5_of(key.reveal())));
}

void add_lock(Headers& headers, const S3ObjectLock& lock, WallTime now) {
  const std::string name = "x-amz-object-lock-";
  if (lock.mode != S3ObjectLock::Mode::kNone) {
    headers.add(name + "mode",
                lock.mode == S3ObjectLock::Mode::kGovernance ? "GOVERNANCE" : "COMPLIANCE");
    headers.add(name + "retain-until-date", format_wall(WallTime(now.value + lock.retain.count())));
  }
  if (lock.legal_hold) headers.add(name + "legal-hold", "ON");
}

// What an object is, given once: with the whole of it, or when its multipart upload begins.
void add_object(Headers& headers, const S3UploadOptions& options, WallTime now) {
  headers.add("content-type", options.content_type);
  headers.add("content-encoding", options.content_encoding);
  headers.add("x-amz-storage-class", options.storage_class_unchecked.empty()
                                         ? options.storage_class
                                         : options.storage_class_unchecked);
  headers.add("x-amz-tagging", encode_tags(options.tags));
  for (const auto& [name, value] : options.metadata) headers.add("x-amz-meta-" + name, value);
  add_encryption(headers, options.encryption);
  add_lock(headers, options.lock, now);
}

}  // namespace

std::vector<HttpHeader> s3_headers(const S3UploadOptions& options, S3Call call, WallTime now,
                                   const Secret& customer_key) {
  Headers headers;
  const bool begins = call == S3Call::kPut || call == S3Call::kCreateMultipart;
  const bool carries = call == S3Call::kPut || call == S3Call::kUploadPart;
  const bool ends = call == S3Call::kPut || call == S3Call::kCompleteMultipart;
  if (begins) add_object(headers, options, now);
  if (begins && options.encryption.kind == S3Encryption::Kind::kCustomer)
    headers.add(std::string("x-amz-meta-") + kCustomerKeyIdName, customer_key_id(customer_key));
  // S3 asks for it when an object ends, too, where that has a checksum.
  const bool needs_key = begins || carries || ends || call == S3Call::kHead;
  if (options.encryption.kind == S3Encryption::Kind::kCustomer && needs_key)
    add_customer_key(headers, customer_key);
  if (call == S3Call::kCreateMultipart)
    headers.add("x-amz-checksum-algorithm", std::string(checksum_algorithm(options.checksum)));
  if (ends && options.create_only) headers.add("if-none-match", "*");
  headers.add("x-amz-expected-bucket-owner", options.expected_bucket_owner);
  if (options.requester_pays) headers.add("x-amz-request-payer", "requester");
  return headers.take();
}

std::string customer_key_id(const Secret& customer_key) {
  return aws::sha256_hex(customer_key.reveal()).substr(0, kKeyIdDigits);
}

std::size_t metadata_bytes(const std::map<std::string, std::string>& metadata) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : metadata) bytes += name.size() + value.size();
  return bytes;
}

Result<Secret> read_customer_key(const S3Encryption& encryption) {
  if (encryption.kind != S3Encryption::Kind::kCustomer) return Secret();
  const SecretRef& key = encryption.customer_key;
  EH_ASSIGN(Secret bytes, key.read());
  if (bytes.reveal().size() == kCustomerKeyBytes) return bytes;
  EH_ASSIGN(const Secret text, key.read_text());
  if (const auto decoded = decode_base64(text.reveal(), true);
      decoded && decoded->size() == kCustomerKeyBytes)
    return Secret(*decoded);
  return fail(ErrorCode::kAuth,
              "server_side_encryption.customer_key: {} must hold 32 bytes or their base64 (openssl "
              "rand -base64 32)",
              key.text());
}

}  // namespace edgehose
