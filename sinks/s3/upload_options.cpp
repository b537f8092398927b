#include "sinks/s3/upload_options.h"

#include <algorithm>

#include "agent/base/base64.h"
#include "agent/base/text.h"
#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
constexpr std::size_t kMaxTags = 10, kMaxTagKey = 128, kMaxTagValue = 256;

std::string not_a_class(const std::string& name) {
  const auto& known = s3_storage_classes();
  if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) return "";
  return "\"" + name + "\" is no storage class" + suggestion(name, known, "classes") +
         "; for one that is new, use storage_class_unchecked";
}

// In UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string not_tags(const std::map<std::string, std::string>& tags) {
  if (tags.size() > kMaxTags) return "has more than the 10 tags that S3 keeps";
  for (const auto& [key, value] : tags)
    if (key.empty() || characters(key) > kMaxTagKey || characters(value) > kMaxTagValue)
      return "has the tag \"" + key + "\": a key has 1 to 128 characters, a value at most 256";
  return "";
}

bool plain(char c) { return c > ' ' && c < 0x7F; }

std::string not_metadata(const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, value] : metadata) {
    if (name.starts_with("x-amz-") || name == kCustomerKeyIdName)
      return "has \"" + name + "\": that name is kept for how an object is encrypted";
    const bool good_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
    if (!good_name) return "has \"" + name + "\": names are of a-z, 0-9, '-', '_' and '.'";
    if (!std::all_of(value.begin(), value.end(), [](char c) { return plain(c) || c == ' '; }))
      return "has a value at \"" + name + "\" that is not ASCII";
  }
  return metadata_bytes(metadata) > kMaxMetadataBytes ? "is more than the 2 KiB that S3 keeps" : "";
}

std::string not_an_account(const std::string& id) {
  const bool digits =
      std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
  return id.size() == 12 && digits ? "" : "must be an account's number, 12 digits";
}

std::string not_a_value(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return plain(c) || c == ' '; })
             ? ""
             : "must be printable ASCII";
}

Fields<S3Encryption> encryption_fields() {
  using Kind = S3Encryption::Kind;
  return Fields<S3Encryption>{
      choice<&S3Encryption::kind>("type",
                                  {{"bucket", Kind::kBucketDefault},
                                   {"s3", Kind::kS3},
                                   {"kms", Kind::kKms},
                                   {"kms-dsse", Kind::kKmsDsse},
                                   {"customer", Kind::kCustomer}},
                                  "`bucket`: as the bucket says. `s3`: S3's own keys. `kms`, "
                                  "`kms-dsse`: a key in KMS. `customer`: your key, which S3 "
                                  "forgets (SSE-C, https only)."),
      field<&S3Encryption::kms_key>("kms_key", "The KMS key: id, ARN or alias.")
          .check(not_a_value)
          .unset_means("the account's aws/s3"),
      field<&S3Encryption::context>("context", "The encryption context of KMS."),
      field<&S3Encryption::bucket_key>("bucket_key",
                                       "Fewer calls to KMS, by a key of the bucket's.")
          .unset_means("as the bucket says"),
      field<&S3Encryption::customer_key>("customer_key", "32 random bytes, or their base64."),
  }
      .rule({"kms_key", "type"},
            [](const S3Encryption& e) {
              const bool kms = e.kind == Kind::kKms || e.kind == Kind::kKmsDsse;
              return kms || e.kms_key.empty() ? "" : "goes with type = \"kms\" or \"kms-dsse\"";
            })
      .rule({"customer_key", "type"}, [](const S3Encryption& e) {
        return (e.kind == Kind::kCustomer) == e.customer_key.set()
                   ? ""
                   : "goes with type = \"customer\": give both";
      });
}

Fields<S3ObjectLock> lock_fields() {
  using Mode = S3ObjectLock::Mode;
  return Fields<S3ObjectLock>{
      choice<&S3ObjectLock::mode>(
          "mode",
          {{"none", Mode::kNone},
           {"governance", Mode::kGovernance},
           {"compliance", Mode::kCompliance}},
          "Who may delete an object before its time: some (`governance`), nobody (`compliance`)."),
      field<&S3ObjectLock::retain>("retain", "How long, from the upload on: `365d`."),
      field<&S3ObjectLock::legal_hold>("legal_hold", "Kept until the hold is lifted."),
  }
      .rule({"retain", "mode"}, [](const S3ObjectLock& lock) {
        return (lock.mode == Mode::kNone) == (lock.retain <= Duration{})
                   ? ""
                   : "goes with \"mode\": give both";
      });
}

}  // namespace

const std::vector<std::string>& s3_storage_classes() {
  static const std::vector<std::string> classes{
      "STANDARD",           "STANDARD_IA", "ONEZONE_IA",   "INTELLIGENT_TIERING",
      "GLACIER_IR",         "GLACIER",     "DEEP_ARCHIVE", "EXPRESS_ONEZONE",
      "REDUCED_REDUNDANCY", "OUTPOSTS",    "SNOW",
  };
  return classes;
}

Fields<S3UploadOptions> s3_upload_fields() {
  return Fields<S3UploadOptions>{
      field<&S3UploadOptions::storage_class>("storage_class", "What an hour of keeping costs.")
          .check(not_a_class)
          .unset_means("STANDARD")
          .example("\"STANDARD_IA\""),
      field<&S3UploadOptions::storage_class_unchecked>(
          "storage_class_unchecked", "A class that this version does not know, sent as it is.")
          .check(not_a_value)
          .example("\"\""),
      field<&S3UploadOptions::tags>("tags", "Tags of each object, ten at most.")
          .check(not_tags)
          .example("{ site = \"north\" }"),
      field<&S3UploadOptions::metadata>("metadata", "User metadata of each object.")
          .check(not_metadata)
          .example("{ gateway = \"gw-0042\" }"),
      table<&S3UploadOptions::encryption>("server_side_encryption", encryption_fields(),
                                          "How S3 encrypts what it keeps.")
          .example("{ type = \"kms\", kms_key = \"alias/logs\" }"),
      table<&S3UploadOptions::lock>("object_lock", lock_fields(),
                                    "Keeps objects from being deleted; the bucket must allow it.")
          .example("{ mode = \"governance\", retain = \"365d\" }"),
      choice<&S3UploadOptions::checksum>("checksum",
                                         {{"crc64nvme", S3Checksum::kCrc64Nvme},
                                          {"crc32c", S3Checksum::kCrc32c},
                                          {"sha256", S3Checksum::kSha256},
                                          {"none", S3Checksum::kNone}},
                                         "What S3 checks an upload against. `none` for services "
                                         "that do not know them."),
      field<&S3UploadOptions::expected_bucket_owner>("expected_bucket_owner",
                                                     "Only a bucket of this account is written to.")
          .check(
              [](const std::string& id) { return id.empty() ? std::string() : not_an_account(id); })
          .example("\"111122223333\""),
      field<&S3UploadOptions::content_type>("content_type", "Content-Type of each object.")
          .check(not_a_value),
      field<&S3UploadOptions::content_encoding>("content_encoding",
                                                "Content-Encoding of each object, for clients that "
                                                "are to decompress by themselves.")
          .check(not_a_value)
          .example("\"zstd\""),
      field<&S3UploadOptions::requester_pays>("requester_pays", "The bucket's requesters pay."),
      field<&S3UploadOptions::create_only>("create_only",
                                           "Never replaces an object (If-None-Match: *), where the "
                                           "service heeds that: some do not."),
  }
      .rule({"storage_class_unchecked", "storage_class"},
            [](const S3UploadOptions& o) {
              return o.storage_class.empty() || o.storage_class_unchecked.empty()
                         ? ""
                         : "stands in place of \"storage_class\": give one";
            })
      .rule({"checksum", "object_lock"}, [](const S3UploadOptions& o) {
        const bool locked = o.lock.mode != S3ObjectLock::Mode::kNone || o.lock.legal_hold;
        return locked && o.checksum == S3Checksum::kNone ? "S3 asks for one with an object lock"
                                                         : "";
      });
}

}  // namespace edgehose
