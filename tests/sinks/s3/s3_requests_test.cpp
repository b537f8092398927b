#include "sinks/s3/s3_requests.h"

#include <gmock/gmock.h>

namespace edgehose {
namespace {

using ::testing::ElementsAre;

const std::string kKey = "site=north/a b//x.log.zst", kRegion = "eu-west-1";

S3Endpoint endpoint_of(const std::string& url = "") {
  return *S3Endpoint::resolve({"telemetry", kRegion, url, S3Addressing::kAuto});
}

std::vector<std::string> text_of(const std::vector<HttpHeader>& headers) {
  std::vector<std::string> lines;
  for (const HttpHeader& header : headers) lines.push_back(header.name + ": " + header.value);
  return lines;
}

// The whole request, as it is before it is signed.
TEST(S3Requests, PutIsWhatTheOptionsSay) {
  S3UploadOptions options;
  options.storage_class = "STANDARD_IA";
  options.tags = {{"site", "north pole"}};
  options.metadata = {{"gateway", "gw-0042"}};
  options.encryption.kind = S3Encryption::Kind::kKms;
  options.encryption.kms_key = "alias/logs";
  options.lock.mode = S3ObjectLock::Mode::kGovernance;
  options.lock.retain = std::chrono::hours(24);
  options.expected_bucket_owner = "111122223333";
  options.create_only = true;
  const S3Endpoint endpoint = endpoint_of();
  const AwsRequest request =
      put_object({options, endpoint, kRegion, kKey}, {20'000, "rosUhgp5mIg=", "", 0, {}},
                 body_of(std::string(20'000, 'x')), false, WallTime(1'795'397'040'000'000'000), {});
  EXPECT_EQ(request.http.method, "PUT");
  EXPECT_EQ(request.http.url,
            "https://telemetry.s3.eu-west-1.amazonaws.com/site%3Dnorth/a%20b//x.log.zst");
  EXPECT_THAT(text_of(request.http.headers),
              ElementsAre("content-type: application/octet-stream",
                          "x-amz-storage-class: STANDARD_IA", "x-amz-tagging: site=north%20pole",
                          "x-amz-meta-gateway: gw-0042", "x-amz-server-side-encryption: aws:kms",
                          "x-amz-server-side-encryption-aws-kms-key-id: alias/logs",
                          "x-amz-object-lock-mode: GOVERNANCE",
                          "x-amz-object-lock-retain-until-date: 2026-11-24T01:24:00Z",
                          "if-none-match: *", "x-amz-expected-bucket-owner: 111122223333",
                          "x-amz-checksum-crc64nvme: rosUhgp5mIg=",
                          "x-amz-sdk-checksum-algorithm: CRC64NVME"));
  EXPECT_TRUE(request.http.expect_continue) << "a refusal costs no upload";
  EXPECT_EQ(request.payload_hash, "UNSIGNED-PAYLOAD");
  EXPECT_EQ(request.region, kRegion);
}

TEST(S3Requests, WhatTlsOrAChecksumDoesNotGuardIsSigned) {
  S3UploadOptions options;
  EXPECT_FALSE(signs_payload(options, endpoint_of()));
  EXPECT_TRUE(signs_payload(options, endpoint_of("http://127.0.0.1:9000")));
  options.checksum = S3Checksum::kNone;
  EXPECT_TRUE(signs_payload(options, endpoint_of()));
  const S3Endpoint endpoint = endpoint_of();
  const AwsRequest request = put_object({options, endpoint, kRegion, kKey}, {1, "", "abcd", 0, {}},
                                        body_of("x"), false, {}, {});
  EXPECT_EQ(request.payload_hash, "abcd");
  EXPECT_FALSE(request.http.expect_continue) << "not worth a round trip";
}

TEST(S3Requests, AnAttemptThatLacksRecordsReplacesNothing) {
  const S3UploadOptions options;
  const S3Endpoint endpoint = endpoint_of();
  const AwsRequest request = put_object({options, endpoint, kRegion, kKey}, {1, "", "", 0, {}},
                                        body_of("x"), true, {}, {});
  EXPECT_THAT(text_of(request.http.headers), ::testing::Contains("if-none-match: *"));
}

// What opens an encrypted object goes with it, beside what the config says.
TEST(S3Requests, AnObjectsOwnMetadataGoWithIt) {
  S3UploadOptions options;
  options.metadata = {{"gateway", "gw-0042"}};
  const S3Endpoint endpoint = endpoint_of();
  const std::map<std::string, std::string> own{{"x-amz-c", "115"}, {"x-amz-i", "aWQ="}};
  const AwsRequest request = put_object({options, endpoint, kRegion, kKey, &own},
                                        {1, "", "", 0, {}}, body_of("x"), false, {}, {});
  EXPECT_THAT(text_of(request.http.headers),
              ::testing::IsSupersetOf({"x-amz-meta-gateway: gw-0042", "x-amz-meta-x-amz-c: 115",
                                       "x-amz-meta-x-amz-i: aWQ="}));
}

TEST(S3Requests, HeadAsksForTheChecksumAndBringsTheCustomersKey) {
  S3UploadOptions options;
  options.encryption.kind = S3Encryption::Kind::kCustomer;
  const S3Endpoint endpoint = endpoint_of();
  const AwsRequest request =
      head_object({options, endpoint, kRegion, kKey}, Secret(std::string(32, 'k')));
  EXPECT_EQ(request.http.method, "HEAD");
  EXPECT_EQ(request.http.body, nullptr);
  EXPECT_THAT(text_of(request.http.headers),
              ElementsAre("x-amz-server-side-encryption-customer-algorithm: AES256",
                          "x-amz-server-side-encryption-customer-key: "
                          "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
                          ::testing::StartsWith("x-amz-server-side-encryption-customer-key-MD5: "),
                          "x-amz-checksum-mode: ENABLED"));
}

}  // namespace
}  // namespace edgehose
