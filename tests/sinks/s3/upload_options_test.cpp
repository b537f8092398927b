#include "sinks/s3/upload_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config/field.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr WallTime kNow{1'764'000'000'000'000'000};  // 2025-11-24T16:00:00Z

std::map<std::string, std::string> headers(const S3UploadOptions& options, S3Call call,
                                           const Secret& key = Secret()) {
  std::map<std::string, std::string> all;
  for (const HttpHeader& header : s3_headers(options, call, kNow, key)) {
    EXPECT_TRUE(all.emplace(header.name, header.value).second) << "twice: " << header.name;
    EXPECT_FALSE(header.value.empty()) << header.name;
  }
  return all;
}

TEST(S3Headers, ADefaultSaysLittle) {
  const std::map<std::string, std::string> expected{{"content-type", "application/octet-stream"}};
  EXPECT_EQ(headers({}, S3Call::kPut), expected);
  EXPECT_TRUE(headers({}, S3Call::kUploadPart).empty());
  EXPECT_TRUE(headers({}, S3Call::kCompleteMultipart).empty());
}

TEST(S3Headers, EveryStorageClassGoesByItsName) {
  for (const std::string& name : s3_storage_classes()) {
    S3UploadOptions options;
    options.storage_class = name;
    EXPECT_EQ(headers(options, S3Call::kPut)["x-amz-storage-class"], name);
  }
  S3UploadOptions options;
  options.storage_class_unchecked = "GLACIER_COLDER";
  EXPECT_EQ(headers(options, S3Call::kCreateMultipart)["x-amz-storage-class"], "GLACIER_COLDER");
}

TEST(S3Headers, TagsAreAForm) {
  S3UploadOptions options;
  options.tags = {{"site", "north 1"}, {"a/b", "c=d&e"}};
  EXPECT_EQ(headers(options, S3Call::kPut)["x-amz-tagging"], "a%2Fb=c%3Dd%26e&site=north%201");
}

TEST(S3Headers, KmsHasItsKeyContextAndBucketKey) {
  S3UploadOptions options;
  options.encryption.kind = S3Encryption::Kind::kKms;
  options.encryption.kms_key = "arn:aws:kms:eu-west-1:1:key/k";
  options.encryption.context = {{"a", "b"}};
  options.encryption.bucket_key = true;
  auto all = headers(options, S3Call::kPut);
  EXPECT_EQ(all["x-amz-server-side-encryption"], "aws:kms");
  EXPECT_EQ(all["x-amz-server-side-encryption-aws-kms-key-id"], "arn:aws:kms:eu-west-1:1:key/k");
  EXPECT_EQ(all["x-amz-server-side-encryption-context"], "eyJhIjoiYiJ9");
  EXPECT_EQ(all["x-amz-server-side-encryption-bucket-key-enabled"], "true");
  options.encryption.kind = S3Encryption::Kind::kKmsDsse;
  EXPECT_EQ(headers(options, S3Call::kPut)["x-amz-server-side-encryption"], "aws:kms:dsse");
  EXPECT_TRUE(headers(options, S3Call::kUploadPart).empty()) << "given when the upload begins";
}

TEST(S3Headers, ACustomerKeyIsRepeatedWithEachPart) {
  S3UploadOptions options;
  options.encryption.kind = S3Encryption::Kind::kCustomer;
  const Secret key(std::string(32, 'k'));
  for (const S3Call call : {S3Call::kPut, S3Call::kCreateMultipart, S3Call::kUploadPart}) {
    auto all = headers(options, call, key);
    EXPECT_EQ(all["x-amz-server-side-encryption-customer-algorithm"], "AES256");
    EXPECT_EQ(all["x-amz-server-side-encryption-customer-key"],
              "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=");
    EXPECT_EQ(all["x-amz-server-side-encryption-customer-key-MD5"], "mT2HRsMGJ5IX5C+0rreZ8Q==");
    for (const HttpHeader& header : s3_headers(options, call, kNow, key))
      EXPECT_EQ(header.secret, header.name.ends_with("customer-key")) << header.name;
  }
}

// printf 'kkkk...' | sha256sum | cut -c -16
TEST(S3Headers, AnObjectUnderACustomersKeySaysWhichOne) {
  S3UploadOptions options;
  options.encryption.kind = S3Encryption::Kind::kCustomer;
  options.metadata = {{"gateway", "gw-1"}};
  const Secret key(std::string(32, 'k'));
  for (const S3Call call : {S3Call::kPut, S3Call::kCreateMultipart}) {
    auto all = headers(options, call, key);
    EXPECT_EQ(all["x-amz-meta-edgehose-sse-c-key-id"], "5e318f8cf9cbe249");
    EXPECT_EQ(all["x-amz-meta-gateway"], "gw-1");
  }
  for (const S3Call call : {S3Call::kUploadPart, S3Call::kHead})
    EXPECT_FALSE(headers(options, call, key).contains("x-amz-meta-edgehose-sse-c-key-id"));
}

TEST(S3UploadFields, NamesThatSayHowAnObjectIsEncryptedAreKept) {
  for (const char* name : {"x-amz-c", "x-amz-key-v2", "edgehose-sse-c-key-id"}) {
    S3UploadOptions options;
    options.metadata = {{name, "1"}};
    const auto declared = s3_upload_fields();
    std::string all;
    for (const config::Field& field : declared.fields)
      for (const auto& check : field.checks) all += check(&options);
    EXPECT_THAT(all, HasSubstr("that name is kept"));
  }
}

TEST(S3Headers, ALockHasADate) {
  S3UploadOptions options;
  options.lock = {S3ObjectLock::Mode::kCompliance, 24h * 365, true};
  auto all = headers(options, S3Call::kPut);
  EXPECT_EQ(all["x-amz-object-lock-mode"], "COMPLIANCE");
  EXPECT_EQ(all["x-amz-object-lock-retain-until-date"], "2026-11-24T16:00:00Z");
  EXPECT_EQ(all["x-amz-object-lock-legal-hold"], "ON");
}

TEST(S3Headers, WhatConcernsTheBucketGoesWithEveryCall) {
  S3UploadOptions options;
  options.expected_bucket_owner = "111122223333";
  options.requester_pays = true;
  options.create_only = true;
  for (const S3Call call : {S3Call::kPut, S3Call::kCreateMultipart, S3Call::kUploadPart,
                            S3Call::kCompleteMultipart, S3Call::kOther}) {
    auto all = headers(options, call);
    EXPECT_EQ(all["x-amz-expected-bucket-owner"], "111122223333");
    EXPECT_EQ(all["x-amz-request-payer"], "requester");
    EXPECT_EQ(all.contains("if-none-match"),
              call == S3Call::kPut || call == S3Call::kCompleteMultipart);
  }
}

TEST(S3Headers, AMultipartUploadNamesItsChecksum) {
  EXPECT_EQ(headers({}, S3Call::kCreateMultipart)["x-amz-checksum-algorithm"], "CRC64NVME");
  S3UploadOptions options;
  options.checksum = S3Checksum::kNone;
  EXPECT_FALSE(headers(options, S3Call::kCreateMultipart).contains("x-amz-checksum-algorithm"));
}

// What the declared checks say of a config.
std::string complaints(const S3UploadOptions& options) {
  std::string all;
  const auto declared = s3_upload_fields();
  for (const config::Field& field : declared.fields)
    for (const auto& check : field.checks)
      if (const std::string wrong = check(&options); !wrong.empty()) all += field.key + " " + wrong;
  for (const config::Rule& rule : declared.rules) all += rule.wrong(&options);
  return all;
}

TEST(S3UploadFields, ADefaultIsGood) { EXPECT_EQ(complaints({}), ""); }

TEST(S3UploadFields, AnUnknownClassHasTheNearestName) {
  S3UploadOptions options;
  options.storage_class = "STANDARD-IA";
  EXPECT_THAT(complaints(options), HasSubstr("did you mean \"STANDARD_IA\"?"));
  EXPECT_THAT(complaints(options), HasSubstr("storage_class_unchecked"));
}

TEST(S3UploadFields, TagsAreCountedInCharacters) {
  const auto tag = [](std::size_t letters) {
    std::string text;
    for (std::size_t i = 0; i < letters; ++i) text += "\u00fc";
    S3UploadOptions options;
    options.tags = {{text, text + text}};
    return complaints(options);
  };
  EXPECT_EQ(tag(128), "");
  EXPECT_THAT(tag(129), HasSubstr("1 to 128 characters"));
}

TEST(S3UploadFields, LimitsAreS3s) {
  S3UploadOptions options;
  for (int i = 0; i < 11; ++i) options.tags["t" + std::to_string(i)] = "v";
  options.metadata = {{"Upper", "x"}};
  options.expected_bucket_owner = "12";
  options.content_type = "text\r\nx-evil: 1";
  const std::string all = complaints(options);
  EXPECT_THAT(all, HasSubstr("10 tags"));
  EXPECT_THAT(all, HasSubstr("\"Upper\""));
  EXPECT_THAT(all, HasSubstr("12 digits"));
  EXPECT_THAT(all, HasSubstr("content_type must be printable ASCII"));
}

}  // namespace
}  // namespace edgehose
