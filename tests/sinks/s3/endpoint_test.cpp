#include "sinks/s3/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using ::testing::HasSubstr;

std::string url(const S3Bucket& bucket, const std::string& key = "a/b.zst") {
  const auto endpoint = S3Endpoint::resolve(bucket);
  return endpoint ? endpoint->url(key) : endpoint.error().message;
}

TEST(S3Endpoint, IsTheOneThatAwsChooses) {
  EXPECT_EQ(url({"telemetry", "eu-west-1", "", {}}),
            "https://telemetry.s3.eu-west-1.amazonaws.com/a/b.zst");
  EXPECT_EQ(url({"telemetry", "cn-north-1", "", {}}),
            "https://telemetry.s3.cn-north-1.amazonaws.com.cn/a/b.zst");
  EXPECT_EQ(url({"my.dotted.bucket", "eu-west-1", "", {}}),
            "https://s3.eu-west-1.amazonaws.com/my.dotted.bucket/a/b.zst")
      << "no certificate matches dots";
}

TEST(S3Endpoint, EachPartitionHasADomain) {
  for (const auto& [region, domain] : {std::pair{"us-gov-west-1", "amazonaws.com"},
                                       {"cn-northwest-1", "amazonaws.com.cn"},
                                       {"eusc-de-east-1", "amazonaws.eu"},
                                       {"us-iso-east-1", "c2s.ic.gov"},
                                       {"us-isob-east-1", "sc2s.sgov.gov"},
                                       {"us-isof-south-1", "csp.hci.ic.gov"},
                                       {"eu-isoe-west-1", "cloud.adc-e.uk"}})
    EXPECT_EQ(url({"telemetry", region, "", {}}, "k"),
              "https://telemetry.s3." + std::string(region) + "." + domain + "/k");
}

TEST(S3Endpoint, OthersAreAddressedByPath) {
  EXPECT_EQ(url({"telemetry", "us-east-1", "https://127.0.0.1:9000", {}}),
            "https://127.0.0.1:9000/telemetry/a/b.zst");
  EXPECT_EQ(url({"telemetry", "us-east-1", "http://minio/", {}}), "http://minio/telemetry/a/b.zst");
  EXPECT_EQ(url({"Old_Name", "us-east-1", "http://minio", {}}), "http://minio/Old_Name/a/b.zst");
  EXPECT_EQ(url({"telemetry",
                 "eu-west-1",
                 "https://bucket.vpce-1a2b-5e6f.s3.eu-west-1.vpce.amazonaws.com",
                 {}}),
            "https://bucket.vpce-1a2b-5e6f.s3.eu-west-1.vpce.amazonaws.com/telemetry/a/b.zst");
}

TEST(S3Endpoint, TheStyleCanBeChosen) {
  EXPECT_EQ(url({"telemetry", "us-east-1", "https://s3.test:9000", S3Addressing::kVirtual}),
            "https://telemetry.s3.test:9000/a/b.zst");
  EXPECT_EQ(url({"telemetry", "eu-west-1", "", S3Addressing::kPath}),
            "https://s3.eu-west-1.amazonaws.com/telemetry/a/b.zst");
}

TEST(S3Endpoint, TheHostIsSentAsItIsSigned) {
  const auto endpoint =
      S3Endpoint::resolve({"telemetry", "us-east-1", "https://minio:443/base/", {}});
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_EQ(endpoint->host(), "minio");
  EXPECT_EQ(endpoint->path("k"), "/base/telemetry/k");
  EXPECT_EQ(endpoint->path(""), "/base/telemetry");
  EXPECT_TRUE(endpoint->uses_tls());
}

TEST(S3Endpoint, KeysAreEncodedAsTheyAreSigned) {
  const std::string bucket = "https://telemetry.s3.eu-west-1.amazonaws.com/";
  EXPECT_EQ(url({"telemetry", "eu-west-1", "", {}}, "site=north/a b+c/\xC3\xA9~._-"),
            bucket + "site%3Dnorth/a%20b%2Bc/%C3%A9~._-");
  EXPECT_EQ(url({"telemetry", "eu-west-1", "", {}}, "a//b/./c"), bucket + "a//b/./c")
      << "nothing is normalised";
}

TEST(S3Endpoint, WhatIsWrongIsNamed) {
  EXPECT_THAT(url({"ab", "eu-west-1", "", {}}), HasSubstr("bucket: \"ab\""));
  EXPECT_THAT(url({"UPPER", "eu-west-1", "", {}}), HasSubstr("bucket"));
  EXPECT_THAT(url({"a..b", "eu-west-1", "", {}}), HasSubstr("bucket"));
  EXPECT_THAT(url({"arn:aws:s3:eu-west-1:1:accesspoint/x", "eu-west-1", "", {}}), HasSubstr("ARN"));
  EXPECT_THAT(url({"telemetry", "EU (Ireland)", "", {}}), HasSubstr("region"));
  EXPECT_THAT(url({"telemetry", "", "", {}}), HasSubstr("region"));
  EXPECT_THAT(url({"telemetry", "eu-west-1", "127.0.0.1:9000", {}}), HasSubstr("endpoint"));
  EXPECT_THAT(url({"telemetry", "eu-west-1", "https://u:p@host", {}}), HasSubstr("endpoint"));
}

}  // namespace
}  // namespace edgehose
