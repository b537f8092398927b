#include "sinks/s3/multipart_requests.h"

#include <gmock/gmock.h>

namespace edgehose {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

const std::string kPartsKey = "site=north/x.log.zst", kPartsRegion = "eu-west-1";
const S3Endpoint kEndpoint =
    *S3Endpoint::resolve({"telemetry", kPartsRegion, "https://s3", S3Addressing::kAuto});

std::vector<std::string> lines(const AwsRequest& request) {
  std::vector<std::string> lines{request.http.method + " " + request.http.url};
  for (const HttpHeader& h : request.http.headers) lines.push_back(h.name + ": " + h.value);
  return lines;
}
std::string text(const AwsRequest& request) {
  std::string all(request.http.body->size(), ' ');
  return all.substr(0, *(*request.http.body->open())->read(all.data(), all.size()));
}

class MultipartRequests : public ::testing::Test {
 protected:
  MultipartRequests() {
    options_.storage_class = "STANDARD_IA";
    options_.tags = {{"site", "north"}};
    options_.metadata = {{"gateway", "gw-0042"}};
    options_.create_only = true;
    options_.expected_bucket_owner = "111122223333";
    options_.encryption.kind = S3Encryption::Kind::kCustomer;
  }
  const std::string owner_ = "x-amz-expected-bucket-owner: 111122223333";
  const std::string customer_ = "x-amz-server-side-encryption-customer-algorithm: AES256";
  S3UploadOptions options_;
  const S3Place place_{options_, kEndpoint, kPartsRegion, kPartsKey};
  const Secret customer_key_ = Secret("0123456789abcdef0123456789abcdef");
};

// What the object is, is told when it begins; a customer's key with each that carries it.
TEST_F(MultipartRequests, BeginTellsWhatTheObjectIs) {
  const AwsRequest request = begin_multipart(place_, WallTime{}, customer_key_);
  EXPECT_THAT(
      lines(request),
      IsSupersetOf({std::string("POST https://s3/telemetry/site%3Dnorth/x.log.zst?uploads="),
                    std::string("x-amz-storage-class: STANDARD_IA"),
                    std::string("x-amz-tagging: site=north"),
                    std::string("x-amz-meta-gateway: gw-0042"),
                    std::string("x-amz-checksum-algorithm: CRC64NVME"), owner_, customer_}));
  EXPECT_THAT(lines(request), Not(Contains(HasSubstr("if-none-match"))));
  EXPECT_EQ(request.http.body->size(), 0u) << "with a Content-Length of 0";
  EXPECT_TRUE(request.http.once);
}

TEST_F(MultipartRequests, APartTellsItsChecksumAndTheCustomersKey) {
  const std::string bytes(20 << 10, 'x');
  const AwsRequest request = upload_part(place_, "a+b/c", 7, {bytes.size(), "AQ==", "cafe", 0},
                                         body_of(bytes), customer_key_);
  EXPECT_THAT(lines(request),
              IsSupersetOf({std::string("PUT https://s3/telemetry/site%3Dnorth/x.log.zst?"
                                        "partNumber=7&uploadId=a%2Bb%2Fc"),
                            std::string("x-amz-checksum-crc64nvme: AQ=="), owner_, customer_}));
  EXPECT_THAT(lines(request), Not(Contains(HasSubstr("x-amz-tagging"))));
  EXPECT_EQ(request.payload_hash, "cafe");
  EXPECT_TRUE(request.http.expect_continue);
}

TEST_F(MultipartRequests, CompleteListsThePartsAndReplacesNothingWhereThatIsAsked) {
  const PartialUpload upload{"id", 5, {{"\"a&b\"", 1}, {"<c>", 2}}};
  const UploadFacts facts{8, "d2hvbGU=", "", 5, {{5, "AQ==", "", 1}, {3, "Ag==", "", 2}}};
  AwsRequest request = complete_multipart(place_, upload, facts, false, customer_key_);
  EXPECT_THAT(lines(request),
              IsSupersetOf({std::string("POST https://s3/telemetry/site%3Dnorth/x.log.zst?"
                                        "uploadId=id"),
                            std::string("if-none-match: *"),
                            std::string("x-amz-checksum-crc64nvme: d2hvbGU="),
                            std::string("x-amz-checksum-type: FULL_OBJECT"), owner_, customer_}));
  EXPECT_EQ(text(request),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
            "<Part><PartNumber>1</PartNumber><ETag>&quot;a&amp;b&quot;</ETag>"
            "<ChecksumCRC64NVME>AQ==</ChecksumCRC64NVME></Part>\n"
            "<Part><PartNumber>2</PartNumber><ETag>&lt;c&gt;</ETag>"
            "<ChecksumCRC64NVME>Ag==</ChecksumCRC64NVME></Part>\n"
            "</CompleteMultipartUpload>");
  options_.create_only = false;
  options_.checksum = S3Checksum::kSha256;
  request = complete_multipart(place_, upload, facts, false, customer_key_);
  EXPECT_THAT(lines(request), Not(Contains(HasSubstr("x-amz-checksum"))))
      << "made of the parts' by S3 itself";
  EXPECT_THAT(lines(request), Not(Contains(HasSubstr("if-none-match"))));
  request = complete_multipart(place_, upload, facts, true, customer_key_);
  EXPECT_THAT(lines(request), Contains("if-none-match: *"));
  options_.checksum = S3Checksum::kNone;
  const UploadFacts none{8, "", "", 5, {{5, "", "", 1}, {3, "", "", 2}}};
  EXPECT_THAT(text(complete_multipart(place_, upload, none, false, customer_key_)),
              Not(HasSubstr("Checksum")));
}

TEST_F(MultipartRequests, AbortAndList) {
  const AwsRequest abort = abort_multipart(place_, "id");
  EXPECT_THAT(lines(abort),
              ::testing::ElementsAre(
                  "DELETE https://s3/telemetry/site%3Dnorth/x.log.zst?uploadId=id", owner_));
  EXPECT_EQ(lines(list_multiparts(place_, "", {}))[0], "GET https://s3/telemetry?uploads=");
  EXPECT_EQ(lines(list_multiparts(place_, "a/b=", {"k/2", "i d"}))[0],
            "GET https://s3/telemetry?key-marker=k%2F2&prefix=a%2Fb%3D&upload-id-marker=i%20d&"
            "uploads=");
}

}  // namespace
}  // namespace edgehose
