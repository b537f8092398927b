#include "sinks/s3/s3_sink.h"

#include "sinks/directory/directory_sink.h"
#include "sinks/s3/s3_error.h"
#include "tests/sinks/s3/sink_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(S3Sink, EachErrorHasItsVerdict) {
  const struct {
    int status;
    const char* code;
    const char* verdict;
  } table[] = {
      {503, "SlowDown", "retry"},
      {503, "ServiceUnavailable", "retry"},
      {503, "", "retry"},
      {500, "InternalError", "unclear"},
      {502, "", "unclear"},
      {504, "", "unclear"},
      {400, "RequestTimeout", "retry"},
      {408, "", "retry"},
      {429, "", "retry"},
      {409, "OperationAborted", "retry"},
      {409, "ConditionalRequestConflict", "retry"},
      {400, "BadDigest", "retry"},
      {400, "XAmzContentSHA256Mismatch", "retry"},
      {400, "IncompleteBody", "retry"},
      {307, "TemporaryRedirect", "retry"},
      {400, "KMS.ThrottlingException", "retry"},
      {403, "RequestTimeTooSkewed", "park"},  // where the time could not be put right
      {400, "ExpiredToken", "park"},          // where others were not accepted either
      {400, "InvalidToken", "park"},
      {403, "AccessDenied", "park"},
      {403, "SignatureDoesNotMatch", "park"},
      {403, "InvalidAccessKeyId", "park"},
      {403, "", "park"},
      {401, "", "park"},
      {404, "NoSuchBucket", "park"},
      {400, "KMS.DisabledException", "park"},
      {400, "KMS.NotFoundException", "park"},
      {301, "PermanentRedirect", "park"},  // that does not say where to
      {400, "AuthorizationHeaderMalformed", "park"},
      {501, "NotImplemented", "park"},
      {400, "InvalidArgument", "park"},
      {400, "InvalidStorageClass", "rejected"},
      {400, "EntityTooSmall", "rejected"},
      {400, "InvalidPart", "rejected"},
      {400, "EntityTooLarge", "too large"},
      {413, "", "too large"},
      {400, "KeyTooLongError", "key"},
      {400, "XMinioInvalidObjectName", "key"},
  };
  for (const auto& row : table) {
    const Verdict verdict = judged(uploaded(answer(row.status, row.code)));
    EXPECT_EQ(kind(verdict), row.verdict) << row.status << " " << row.code;
    EXPECT_THAT(reason_of(verdict), HasSubstr(std::to_string(row.status)))
        << "says what was answered";
  }
}

// A key that was rotated away is refused as one that has ended.
TEST(S3Sink, OtherCredentialsHelpWhereTheseAreNotKnownAnyMore) {
  for (const char* code : {"ExpiredToken", "InvalidToken", "InvalidAccessKeyId"})
    EXPECT_EQ(s3_remedy(answer(403, code)), Remedy::kCredentials) << code;
  EXPECT_EQ(s3_remedy(answer(403, "AccessDenied")), Remedy::kNone);
}

TEST(S3Sink, AnETagIsADelivery) {
  EXPECT_EQ(kind(judged(uploaded(answer(200, "", "", {{"etag", "\"d41d8cd9\""}})))), "delivered");
}

TEST(S3Sink, ACaptivePortalIsNoDelivery) {
  HttpResponse page = answer(200);
  page.body = "<html><h1>Welcome to the hotel</h1>";
  EXPECT_EQ(kind(judged(uploaded(page))), "unclear");
  page.headers = {{"etag", "\"it has one\""}};
  EXPECT_EQ(kind(judged(uploaded(page))), "unclear") << "S3's answer to an upload has no text";
  EXPECT_EQ(kind(judged(uploaded(answer(200)))), "unclear") << "and it has an ETag";
  EXPECT_EQ(kind(judged(uploaded(answer(204, "", "", {{"etag", "\"x\""}})))), "unclear");
  HttpResponse elsewhere;
  elsewhere.status = 302;
  elsewhere.headers = {{"location", "http://login.hotel/"}};
  const Verdict redirected = judged(uploaded(elsewhere));
  EXPECT_EQ(kind(redirected), "retry");
  EXPECT_THAT(reason_of(redirected), HasSubstr("not in S3's words"));
}

TEST(S3Sink, OtherBytesThanWereSentAreNoDelivery) {
  const auto kept = [](const std::string& checksum) {
    return judged(
        uploaded(answer(200, "", "", {{"etag", "\"x\""}, {"x-amz-checksum-crc64nvme", checksum}})));
  };
  EXPECT_EQ(kind(kept("AAAAAAAAAAA=")), "delivered");
  EXPECT_EQ(kind(kept("AAAAAAAAAAE=-1")), "delivered") << "made in another way: it tells nothing";
  EXPECT_EQ(kind(kept("AAAAAAAAAAE=")), "unclear");
  const auto first = std::get<Retry>(kept("AAAAAAAAAAE="));
  EXPECT_TRUE(first.wrong_there);
  Batch batch;
  batch.wrong_there = true;
  const Verdict again = make()->judge(
      batch, uploaded(answer(200, "", "",
                             {{"etag", "\"x\""}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAE="}})));
  EXPECT_EQ(std::get<Park>(again).probe_every, std::chrono::hours(1))
      << "it costs the whole object";
}

TEST(S3Sink, SilenceIsRetriedWhateverItsReason) {
  for (const HttpFailure failure :
       {HttpFailure::kResolve, HttpFailure::kConnect, HttpFailure::kTls, HttpFailure::kClock,
        HttpFailure::kProxy, HttpFailure::kStalled, HttpFailure::kReset, HttpFailure::kResponse,
        HttpFailure::kBody}) {
    HttpResponse none;
    none.failure = failure;
    none.problem = "no answer";
    EXPECT_EQ(kind(judged(uploaded(none))), "retry");
    none.maybe_arrived = true;
    EXPECT_EQ(kind(judged(uploaded(none))), "unclear");
  }
  HttpResponse setup;
  setup.failure = HttpFailure::kSetup;
  EXPECT_EQ(kind(judged(uploaded(setup))), "park");
}

TEST(S3Sink, CredentialsThatAreMissingParkAndThoseThatAreAwayAreRetried) {
  UploadResponse unsent;
  unsent.unsent = Error{ErrorCode::kAuth, 0, "no AWS credentials"};
  EXPECT_EQ(kind(judged(unsent)), "park");
  unsent.unsent = Error{ErrorCode::kUnavailable, 0, "the metadata service is silent"};
  EXPECT_EQ(kind(judged(unsent)), "retry");
  unsent.unsent = Error{ErrorCode::kIo, 0, "the buffer's disk"};
  EXPECT_EQ(kind(judged(unsent)), "retry");
}

TEST(S3Sink, RetryAfterIsObeyed) {
  const Verdict verdict = judged(uploaded(answer(503, "SlowDown", "", {{"retry-after", "7"}})));
  EXPECT_EQ(std::get<Retry>(verdict).after, std::chrono::seconds(7));
}

// The courier parks after ten refusals for one reason: a request's id in it would hide that.
TEST(S3Sink, ARefusalIsToldInTheSameWordsEachTime) {
  HttpResponse one = answer(400, "InvalidStorageClass"), other = one;
  other.headers.back().value = "another request";
  EXPECT_EQ(reason_of(judged(uploaded(one))), reason_of(judged(uploaded(other))));
}

TEST(S3Sink, TheBucketsOwnRegionIsLearnedAndAskedFromThenOn) {
  const auto sink = make();
  for (const HttpResponse& says :
       {answer(301, "PermanentRedirect", "", {{"x-amz-bucket-region", "ap-south-1"}}),
        answer(400, "AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"),
        answer(301, "", "", {{"x-amz-bucket-region", "ap-south-1"}})}) {
    const Verdict verdict = judged(uploaded(says));
    EXPECT_EQ(kind(verdict), "lesson");
    EXPECT_THAT(reason_of(verdict), HasSubstr("region = \"ap-south-1\""));
    const auto note = sink->learn("", uploaded(says));
    ASSERT_EQ(note, "region=ap-south-1 of=telemetry in=eu-west-1 at=");
    const Request request = sink->request({}, *note, nullptr);
    EXPECT_EQ(std::get<UploadRequest>(request).region, "ap-south-1");
    EXPECT_EQ(sink->learn(*note, uploaded(says)), std::nullopt);
    UploadResponse again = uploaded(says);
    again.region = "ap-south-1";
    EXPECT_EQ(kind(judged(again)), "park") << "asked there already";
  }
  const auto nonsense = answer(301, "", "", {{"x-amz-bucket-region", "evil.example/"}});
  EXPECT_EQ(sink->learn("", uploaded(nonsense)), std::nullopt);
  EXPECT_EQ(kind(judged(uploaded(nonsense))), "park");
  EXPECT_EQ(sink->learn("", uploaded(answer(200, "", "", {{"etag", "x"}}))), std::nullopt);
}

// Else the config could not put right what was learned under another one.
TEST(S3Sink, WhatWasLearnedOfARegionIsForgottenWithTheConfigItWasLearnedUnder) {
  const auto region_of = [](const S3Config& config) {
    const auto note = make()->learn("", uploaded(answer(301, "PermanentRedirect", "",
                                                        {{"x-amz-bucket-region", "ap-south-1"}})));
    return std::get<UploadRequest>(make(config)->request({}, *note, nullptr)).region;
  };
  EXPECT_EQ(region_of(config_of()), "ap-south-1");
  for (const auto change : {+[](S3Bucket& bucket) { bucket.region = "auto"; },
                            +[](S3Bucket& bucket) { bucket.name = "another"; },
                            +[](S3Bucket& bucket) { bucket.endpoint = "https://s3.example"; }}) {
    S3Config other = config_of();
    change(other.bucket);
    EXPECT_EQ(region_of(other), other.bucket.region);
  }
}

TEST(S3Sink, ABatchOfWhichNothingIsLeftIsSettled) {
  UploadResponse nothing;
  nothing.nothing = true;
  EXPECT_EQ(kind(judged(nothing)), "delivered");
}

TEST(S3Sink, KeysAreThoseOfADirectory) {
  DirectoryConfig directory;
  directory.path = "/media/usb";
  directory.object = config_of().object;
  std::vector<std::string> warnings;
  const auto files = DirectorySink::create(directory, {"gw-0042", {}, "UTC"}, warnings);
  BatchOutline batch;
  batch.source = "App";
  batch.last = Sequence{4711};
  batch.first_time = WallTime(1'795'397'040'000'000'000);
  EXPECT_EQ(make()->key(batch, ""), (*files)->key(batch, ""));
  EXPECT_EQ(make()->key(batch, "region=ap-south-1"), make()->key(batch, ""));
  EXPECT_TRUE(make()->key(batch, "").starts_with("logs/2026/11/23/"));
}

// Of an upload that is left over, only the name tells whose it is.
TEST(S3Sink, KnowsTheKeysOfThisAgentAndThisBuffer) {
  const auto sink = make();
  Epoch epoch{};
  epoch[0] = 0xAB;
  BatchOutline batch{"my app", epoch, Sequence{7}, Sequence{9}, {}, WallTime(), ""};
  const std::string key = sink->key(batch, "");
  EXPECT_TRUE(sink->is_own_key(key, epoch));
  batch.replay = "0123abcd";
  EXPECT_TRUE(sink->is_own_key(sink->key(batch, ""), epoch));
  const auto is_own = [&](const std::string& other) { return sink->is_own_key(other, epoch); };
  EXPECT_TRUE(is_own("another/prefix-" + key.substr(key.find("my%20app")))) << "it was changed";
  EXPECT_FALSE(sink->is_own_key(key, Epoch{})) << "of another buffer";
  std::string other = key;
  EXPECT_FALSE(is_own(other.replace(other.find("gw-0042"), 7, "gw-0043")));
  other = key;
  EXPECT_FALSE(is_own(other.replace(other.find("T0000"), 1, "-"))) << "no time";
  EXPECT_FALSE(is_own(key.substr(0, key.find("0000009") + 7))) << "no extension";
  EXPECT_FALSE(is_own(key + "/part"));
  EXPECT_FALSE(is_own(""));
}

TEST(S3Sink, TheNextAttemptHasWhatTheLastOneBegan) {
  Batch batch;
  batch.claim.key = "k";
  batch.claim.upload = {"id", 5, {{"tag", 1}}};
  batch.attempted = true;
  const auto request = std::get<UploadRequest>(make()->request(batch, "", nullptr));
  EXPECT_EQ(request.begun, batch.claim.upload);
  EXPECT_TRUE(request.attempted);
}

HttpResponse with_body(int status, std::string body) {
  HttpResponse response = answer(status);
  response.body = std::move(body);
  return response;
}

UploadResponse in_parts(UploadResponse::To to, HttpResponse response) {
  UploadResponse upload = uploaded(std::move(response));
  upload.to = to;
  return upload;
}

TEST(S3Sink, AnObjectInPartsIsDeliveredWhenItIsComplete) {
  using To = UploadResponse::To;
  const auto complete = [](const std::string& inside) {
    return in_parts(To::kComplete, with_body(200, "<CompleteMultipartUploadResult>" + inside +
                                                      "</CompleteMultipartUploadResult>"));
  };
  const std::string tag = "<ETag>\"e-2\"</ETag>";
  EXPECT_EQ(kind(judged(complete(tag))), "delivered");
  const auto checksum = [](const std::string& value) {
    return "<ChecksumCRC64NVME>" + value + "</ChecksumCRC64NVME>";
  };
  EXPECT_EQ(kind(judged(complete(tag + checksum("AAAAAAAAAAA=")))), "delivered");
  EXPECT_EQ(kind(judged(complete(tag + checksum("BAAAAAAAAAA=")))), "unclear");
  EXPECT_EQ(kind(judged(complete(""))), "unclear");
  EXPECT_EQ(kind(judged(in_parts(To::kComplete, with_body(200, "<html/>")))), "unclear");
  EXPECT_EQ(kind(judged(in_parts(To::kComplete, answer(200)))), "unclear");
}

TEST(S3Sink, A200MayBeARefusal) {
  const auto refused = [](const std::string& code) {
    return judged(in_parts(UploadResponse::To::kComplete, answer(200, code)));
  };
  EXPECT_EQ(kind(refused("InternalError")), "unclear");
  EXPECT_EQ(kind(refused("SomethingNew")), "unclear");
  EXPECT_EQ(kind(refused("AccessDenied")), "park");
  EXPECT_THAT(reason_of(refused("InternalError")), HasSubstr("200 InternalError"));
}

// Never a dead letter; and to see whether it passes now costs the whole object.
TEST(S3Sink, ACompletionThatIsFaultedParksAndIsTriedRarely) {
  for (const int status : {200, 400})
    for (const char* code : {"BadDigest", "MalformedXML", "InvalidRequest", "EntityTooSmall",
                             "XAmzContentChecksumMismatch", "InvalidPart", "InvalidPartOrder"}) {
      const Verdict verdict = judged(in_parts(UploadResponse::To::kComplete, answer(status, code)));
      ASSERT_EQ(kind(verdict), "park") << code;
      EXPECT_THAT(reason_of(verdict), HasSubstr(code));
      EXPECT_THAT(reason_of(verdict), HasSubstr("checksum"));
      const bool soon = std::string(code).starts_with("InvalidPart");
      const auto hourly = std::optional<Duration>(std::chrono::hours(1));
      EXPECT_EQ(std::get<Park>(verdict).probe_every, soon ? std::nullopt : hourly);
    }
}

// Before all parts are put together nothing is there, whatever an answer leaves open.
TEST(S3Sink, OnTheWayNothingHasArrived) {
  using To = UploadResponse::To;
  for (const To to : {To::kBegin, To::kPart, To::kClearing}) {
    EXPECT_EQ(kind(judged(in_parts(to, answer(500, "InternalError")))), "retry");
    EXPECT_EQ(kind(judged(in_parts(to, answer(200)))), "retry");
    EXPECT_EQ(kind(judged(in_parts(to, answer(404, "NoSuchUpload")))), "retry");
    EXPECT_EQ(kind(judged(in_parts(to, answer(403, "AccessDenied")))), "park");
    EXPECT_EQ(kind(judged(in_parts(to, answer(400, "EntityTooLarge")))), "too large");
    HttpResponse silence;
    silence.maybe_arrived = true;
    EXPECT_EQ(kind(judged(in_parts(to, silence))), "retry");
  }
  EXPECT_EQ(kind(judged(in_parts(To::kComplete, answer(404, "NoSuchUpload")))), "unclear");
}

TEST(S3Sink, RequestsWhatTheClaimSays) {
  Batch batch;
  batch.claim.key = "old/prefix/x.log.gz";
  const Request request = make()->request(batch, "", nullptr);
  EXPECT_EQ(std::get<UploadRequest>(request).key, "old/prefix/x.log.gz");
  EXPECT_EQ(std::get<UploadRequest>(request).region, "eu-west-1");
  for (const char* note :
       {"type=ef53 fsid=0102", "region=", "region=ap-south-1",
        "region=a/b of=telemetry in=eu-west-1 at=", "region= of=telemetry in=eu-west-1 at="}) {
    const Request other = make()->request(batch, note, nullptr);
    EXPECT_EQ(std::get<UploadRequest>(other).region, "eu-west-1") << note;
  }
}

}  // namespace
}  // namespace edgehose
