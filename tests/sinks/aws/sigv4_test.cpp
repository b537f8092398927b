// SigV4 without the vectors: what each service signs, and golden signatures of our own.
#include "sinks/aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "sinks/aws/digest.h"
#include "sinks/aws/time.h"

namespace edgehose::aws {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const WallTime kAt = *parse_time("2013-05-24T00:00:00Z");

Credentials example_keys() {
  return {"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret()};
}

SigningRequest get(std::string path, std::string query = "") {
  return {"GET", std::move(path), std::move(query), {{"Host", "h"}}, sha256_hex("")};
}

std::string value_of(const std::vector<HttpHeader>& headers, const std::string& name) {
  for (const HttpHeader& header : headers)
    if (header.name == name) return header.value;
  return {};
}

std::string line(const std::string& text, int number) {
  std::istringstream in(text);
  std::string found;
  for (int i = 0; i <= number; ++i) std::getline(in, found);
  return found;
}

std::string path_of(const std::string& path, std::string_view service) {
  return line(canonical_request(get(path), signing_rules(service)), 1);
}

std::string query_of(const std::string& query) {
  return line(canonical_request(get("/", query), signing_rules("s3")), 2);
}

// "PUT Object" of Amazon S3's API reference, with its published signature.
TEST(SigV4, PublishedExampleOfS3) {
  const SigningRequest put{"PUT",
                           "/test%24file.text",
                           "",
                           {{"Host", "examplebucket.s3.amazonaws.com"},
                            {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                            {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                           sha256_hex("Welcome to Amazon S3.")};
  const auto added = Signer({"us-east-1", "s3"}).sign(put, example_keys(), kAt);
  EXPECT_EQ(value_of(added, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(value_of(added, "X-Amz-Date"), "20130524T000000Z");
  EXPECT_EQ(value_of(added, "X-Amz-Content-Sha256"), put.payload_hash);
}

TEST(SigV4, S3SignsThePathAsItIsSentAndEncodesOnce) {
  EXPECT_EQ(path_of("/a//b/./c/../d", "s3"), "/a//b/./c/../d");
  EXPECT_EQ(path_of("/day%3D01/a%20b.zst", "s3"), "/day%3D01/a%20b.zst");
  EXPECT_EQ(path_of("/day=01", "s3"), "/day%3D01");
  EXPECT_EQ(path_of("", "s3"), "/");
}

TEST(SigV4, OtherServicesNormaliseAndEncodeTwice) {
  EXPECT_EQ(path_of("/logs%2Aidx/_bulk", "es"), "/logs%252Aidx/_bulk");
  EXPECT_EQ(path_of("/a//b/./c/../d", "es"), "/a/b/d");
  EXPECT_EQ(path_of("/../..", "es"), "/");
}

TEST(SigV4, QueryIsSortedAndEncodedOnce) {
  EXPECT_EQ(query_of("uploads"), "uploads=");
  EXPECT_EQ(query_of("uploadId=a%2Fb&partNumber=2"), "partNumber=2&uploadId=a%2Fb");
  EXPECT_EQ(query_of("a=2&a=1&A=3"), "A=3&a=1&a=2");
  EXPECT_EQ(query_of("a=b=c&&x"), "a=b%3Dc&x=");
  EXPECT_EQ(query_of("a=1+1"), "a=1%2B1");
  EXPECT_EQ(query_of("a=%zz%4"), "a=%25zz%254");
}

TEST(SigV4, SessionTokenIsSentAndSigned) {
  Credentials keys = example_keys();
  keys.session_token = Secret("token==");
  const auto added = Signer({"us-east-1", "es"}).sign(get("/"), keys, kAt);
  EXPECT_EQ(value_of(added, "X-Amz-Security-Token"), "token==");
  EXPECT_THAT(value_of(added, "Authorization"),
              HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
}

TEST(SigV4, PayloadHashIsAHeaderForS3AndServerlessSearchOnly) {
  const auto names = [](const std::string& service) {
    std::string all;
    for (const HttpHeader& header :
         Signer({"us-east-1", service}).sign(get("/"), example_keys(), kAt))
      all += header.name + " ";
    return all;
  };
  EXPECT_THAT(names("s3"), HasSubstr("X-Amz-Content-Sha256"));
  EXPECT_THAT(names("aoss"), HasSubstr("X-Amz-Content-Sha256"));
  EXPECT_THAT(names("es"), Not(HasSubstr("X-Amz-Content-Sha256")));
}

TEST(SigV4, MarkersTakeThePlaceOfTheHash) {
  SigningRequest request = get("/");
  request.payload_hash = kUnsignedPayload;
  EXPECT_THAT(canonical_request(request, signing_rules("s3")), EndsWith("\nUNSIGNED-PAYLOAD"));
  const auto added = Signer({"us-east-1", "s3"}).sign(request, example_keys(), kAt);
  EXPECT_EQ(value_of(added, "X-Amz-Content-Sha256"), "UNSIGNED-PAYLOAD");
}

// The kept key must not outlive its day, nor serve another secret.
TEST(SigV4, KeptKeyGivesTheSameSignaturesAsAFreshOne) {
  Signer kept({"us-east-1", "s3"});
  Credentials other = example_keys();
  other.secret_access_key = Secret("another");
  const WallTime late = *parse_time("2013-05-24T23:59:59Z");
  const WallTime next_day = *parse_time("2013-05-25T00:00:00Z");
  for (const auto& [keys, at] :
       std::vector<std::pair<Credentials, WallTime>>{{example_keys(), kAt},
                                                     {example_keys(), late},
                                                     {example_keys(), next_day},
                                                     {other, next_day},
                                                     {example_keys(), next_day}}) {
    Signer fresh({"us-east-1", "s3"});
    EXPECT_EQ(value_of(kept.sign(get("/"), keys, at), "Authorization"),
              value_of(fresh.sign(get("/"), keys, at), "Authorization"));
  }
}

TEST(SigV4, ADateOfTheCallersOwnIsReplaced) {
  SigningRequest request = get("/");
  request.headers.push_back({"x-amz-date", "20000101T000000Z"});
  Signer signer({"us-east-1", "s3"});
  EXPECT_EQ(value_of(signer.sign(request, example_keys(), kAt), "Authorization"),
            value_of(signer.sign(get("/"), example_keys(), kAt), "Authorization"));
}

TEST(AwsTime, ReadsWhatAwsWrites) {
  const WallTime time(1'632'270'906LL * 1'000'000'000);
  EXPECT_EQ(parse_time("2021-09-22T00:35:06Z"), time);
  EXPECT_EQ(parse_time("2021-09-22T00:35:06.999Z"), time);
  EXPECT_EQ(parse_time("2021-09-22T02:35:06+02:00"), time);
  EXPECT_EQ(parse_time("2021-09-21T19:05:06-0530"), time);
  EXPECT_EQ(basic_time(time), "20210922T003506Z");
  for (const char* bad : {"", "2021-09-22", "2021-13-22T00:35:06Z", "2021-09-22T00:35:06",
                          "2021-09-22T00:35:06Zx", "2021-02-30T00:00:00Z", "9999-01-01T00:00:00Z",
                          "2021-09-22T24:35:06Z", "2021-09-22T00:35:06+2"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

}  // namespace
}  // namespace edgehose::aws
