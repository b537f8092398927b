#include "sinks/s3/s3_config.h"

#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
constexpr std::uint64_t kSmallestPart = 5ull << 20, kLargestPart = 5ull << 30;

Fields<S3Bucket> bucket_fields() {
  return {
      field<&S3Bucket::name>("bucket", kRequired, "The bucket, or an access point's alias.")
          .example("\"telemetry\""),
      field<&S3Bucket::region>("region", "The region that the bucket is in.")
          .unset_means("AWS_REGION, AWS_DEFAULT_REGION, the profile's; else the bucket is asked")
          .example("\"eu-west-1\""),
      field<&S3Bucket::endpoint>("endpoint",
                                 "Where another service than AWS's is, or an interface endpoint "
                                 "of a VPC.")
          .unset_means("AWS's of the region")
          .example("\"https://127.0.0.1:9000\""),
      choice<&S3Bucket::addressing>("addressing",
                                    {{"auto", S3Addressing::kAuto},
                                     {"virtual", S3Addressing::kVirtual},
                                     {"path", S3Addressing::kPath}},
                                    "Where the bucket stands in a URL: `virtual` in the host's "
                                    "name, `path` after it. `auto`: as AWS's own clients choose."),
  };
}

}  // namespace

Fields<S3Config> s3_fields() {
  return {
      include<&S3Config::common>(sink_fields()),
      include<&S3Config::bucket>(bucket_fields()),
      table<&S3Config::credentials>(
          "credentials", aws::credentials_fields(),
          "Who signs. Without it AWS's chain is followed: environment, shared files, web identity, "
          "container, instance metadata.")
          .example("{ access_key_id = { file = \"/etc/edgehose/aws.id\" }, "
                   "secret_access_key = { file = \"/etc/edgehose/aws.key\" } }"),
      include<&S3Config::object>(object_fields(KeepsMetadata::kYes)),
      include<&S3Config::upload>(s3_upload_fields()),
      size_field<&S3Config::part_size>("part_size",
                                       "Larger objects go up in parts of this size, and go on "
                                       "behind the last one after a restart or a broken link.")
          .range(kSmallestPart, kLargestPart),
      include<&S3Config::http>(http_fields()),
  };
}

}  // namespace edgehose
