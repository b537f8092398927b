// The state machine, answer by answer.
#include "sinks/s3/multipart_upload.h"

#include "tests/sinks/s3/multipart_fixture.h"

namespace edgehose {
namespace {

using To = UploadResponse::To;
using ::testing::HasSubstr;

const std::string kText = "0123456789";  // three parts

TEST_F(MultipartTest, BeginsPartsCompletes) {
  start(kText);
  EXPECT_FALSE(step("POST /k?uploads=", begun("up/1")));
  EXPECT_EQ(known_, (PartialUpload{"up/1", kPart, {}}));
  EXPECT_FALSE(step("PUT /k?partNumber=1&uploadId=up%2F1", part("\"a\"")));
  EXPECT_EQ(body_, "0123");
  EXPECT_FALSE(step("PUT /k?partNumber=2&uploadId=up%2F1", part("\"b\"")));
  EXPECT_EQ(body_, "4567");
  EXPECT_EQ(known_.parts.size(), 2u);
  EXPECT_FALSE(step("PUT /k?partNumber=3&uploadId=up%2F1", part("\"c\"")));
  EXPECT_EQ(body_, "89");
  EXPECT_TRUE(step("POST /k?uploadId=up%2F1", completed()));
  EXPECT_THAT(body_, HasSubstr("<PartNumber>3</PartNumber><ETag>&quot;c&quot;</ETag>"));
  EXPECT_FALSE(known_);
  EXPECT_EQ(told_.to, To::kComplete);
  EXPECT_EQ(told_.answer.status, 200);
}

TEST_F(MultipartTest, GoesOnBehindThePartsThatAreThere) {
  start(kText, begun_of(kText, 2), true);
  EXPECT_FALSE(step("PUT /k?partNumber=3&uploadId=old", part("c")));
  EXPECT_EQ(body_, "89");
  EXPECT_TRUE(step("POST /k?uploadId=old", completed()));
  EXPECT_THAT(body_, HasSubstr("<ETag>tag2</ETag>"));
  EXPECT_EQ(told_.to, To::kComplete);
}

TEST_F(MultipartTest, OtherBytesAreBegunAnewAndWhatWasThereIsAborted) {
  start("0123xxxxyy", begun_of(kText, 2), true);
  EXPECT_FALSE(step("DELETE /k?uploadId=old", no_content()));
  EXPECT_FALSE(known_);
  EXPECT_FALSE(step("HEAD /k", answer(404)));
  EXPECT_FALSE(step("GET ?prefix=k&uploads=", listed({})));
  EXPECT_FALSE(step("POST /k?uploads=", begun("new")));
  EXPECT_FALSE(step("PUT /k?partNumber=1&uploadId=new", part("a")));
  EXPECT_EQ(body_, "0123");
}

// Its metadata went out when it began: under another key they would open nothing, for ever.
TEST_F(MultipartTest, AnUploadWithoutPartsIsNotGoneOnWithWhereAKeyIsInTheMetadata) {
  start(kText, begun_of(kText, 0), true);
  EXPECT_EQ(asked(), "PUT /k?partNumber=1&uploadId=old") << "what is plain has no key";
  metadata_ = {{"x-amz-3", "another"}};
  start(kText, begun_of(kText, 0), true);
  EXPECT_FALSE(step("DELETE /k?uploadId=old", no_content()));
  EXPECT_FALSE(step("HEAD /k", answer(404)));
  EXPECT_FALSE(step("GET ?prefix=k&uploads=", listed({})));
  EXPECT_FALSE(step("POST /k?uploads=", begun("new")));
  EXPECT_THAT(request_.http.headers,
              ::testing::Contains(::testing::Field(&HttpHeader::name, "x-amz-meta-x-amz-3")));
  start(kText, begun_of(kText, 1), true);
  EXPECT_EQ(asked(), "PUT /k?partNumber=2&uploadId=old") << "its part shows the same key";
}

TEST_F(MultipartTest, TheSameBytesInOtherPartsAreBegunAnew) {
  PartialUpload other = begun_of(kText, 1);
  other.part_size = 5;
  start(kText, other, true);
  EXPECT_EQ(asked(), "DELETE /k?uploadId=old");
}

TEST_F(MultipartTest, WhatCannotBeAbortedForNowIsTriedAgainLater) {
  start("0123xxxxyy", begun_of(kText, 2), true);
  EXPECT_TRUE(step("DELETE /k?uploadId=old", refusal(503, "SlowDown")));
  EXPECT_EQ(told_.to, To::kClearing);
  EXPECT_EQ(told_.answer.status, 503);
}

// An answer that was lost, a kill before the commit: an upload is there that nobody knows of.
TEST_F(MultipartTest, AnAttemptAfterTheFirstAbortsWhatIsThereUnderItsKey) {
  start(kText, {}, true);
  EXPECT_FALSE(step("HEAD /k", answer(200, "", {{"content-length", "11"}})));
  EXPECT_FALSE(step("GET ?prefix=k&uploads=", listed({{"k", "1"}, {"k2", "2"}, {"k", "3"}})));
  EXPECT_FALSE(step("DELETE /k?uploadId=3", no_content()));
  EXPECT_FALSE(step("DELETE /k?uploadId=1", refusal(404, "NoSuchUpload")));
  EXPECT_EQ(asked(), "POST /k?uploads=");
}

// A kill after the last answer and before its commit: nobody knew of the upload.
TEST_F(MultipartTest, AnObjectThatIsThereIsNotSentAgain) {
  start(kText, {}, true);
  EXPECT_TRUE(step("HEAD /k", answer(200, "", {{"content-length", "10"}})));
  EXPECT_TRUE(told_.existing);
  start("xxxxxxxxxx", begun_of(kText, 3), true);  // encrypted: of the same length
  EXPECT_FALSE(step("DELETE /k?uploadId=old", refusal(404, "NoSuchUpload")));
  EXPECT_TRUE(step("HEAD /k", answer(200, "", {{"content-length", "10"}})));
  EXPECT_TRUE(told_.existing);
  const HttpResponse other =
      answer(200, "", {{"content-length", "10"}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}});
  start(kText, {}, true, false, true);
  EXPECT_TRUE(step("HEAD /k", other)) << "its key is drawn for each attempt";
  start(kText, {}, true);
  EXPECT_FALSE(step("HEAD /k", other)) << "S3 itself says that it has other bytes";
  EXPECT_EQ(asked(), "GET ?prefix=k&uploads=");
}

// Before a part is sent: with a service that ignores If-None-Match less would replace more.
TEST_F(MultipartTest, AnotherObjectThatIsNotReplacedIsSeenFirst) {
  const HttpResponse other = answer(200, "", {{"content-length", "11"}});
  options_.create_only = true;
  start(kText, {}, true);
  EXPECT_TRUE(step("HEAD /k", other));
  EXPECT_TRUE(told_.existing);
  options_.create_only = false;
  start(kText, {}, true, true);
  EXPECT_TRUE(step("HEAD /k", other)) << "this attempt lacks records";
  EXPECT_TRUE(told_.existing);
}

TEST_F(MultipartTest, WhoMayNotListOrAbortGoesOn) {
  start(kText, begun_of("other text", 1), true);
  EXPECT_FALSE(step("DELETE /k?uploadId=old", refusal(403, "AccessDenied")));
  EXPECT_FALSE(step("HEAD /k", answer(403)));
  EXPECT_FALSE(step("GET ?prefix=k&uploads=", refusal(501, "NotImplemented")));
  EXPECT_EQ(asked(), "POST /k?uploads=");
}

// Else the object would go up once more although it may be there.
TEST_F(MultipartTest, WhatIsThereHasToBeToldBeforePartsGoUp) {
  for (const int status : {0, 429, 500, 503}) {
    start(kText, {}, true);
    EXPECT_TRUE(step("HEAD /k", answer(status))) << status;
    EXPECT_EQ(told_.to, To::kClearing);
    EXPECT_EQ(told_.answer.status, status);
  }
}

TEST_F(MultipartTest, APortalsListIsNone) {
  start(kText, {}, true);
  take(answer(404));
  EXPECT_TRUE(step("GET ?prefix=k&uploads=", answer(200, "<html>Welcome</html>")));
  EXPECT_EQ(told_.to, To::kClearing);
}

TEST_F(MultipartTest, APartThatFailsEndsTheAttemptAndKeepsTheOthers) {
  start(kText);
  take(begun("up"));
  asked();
  take(part("a"));
  EXPECT_TRUE(step("PUT /k?partNumber=2&uploadId=up", refusal(503, "SlowDown")));
  EXPECT_EQ(told_.to, To::kPart);
  EXPECT_EQ(known_.parts.size(), 1u);
}

TEST_F(MultipartTest, APartOfAPortalOrOfOtherBytesIsNone) {
  for (const HttpResponse& wrong :
       {answer(200, "<html/>", {{"etag", "a"}}), answer(200), answer(200, "", {{"etag", ""}}),
        answer(200, "", {{"etag", "a"}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}})}) {
    start(kText);
    take(begun("up"));
    EXPECT_TRUE(step("PUT /k?partNumber=1&uploadId=up", wrong));
    EXPECT_EQ(told_.to, To::kPart);
    EXPECT_TRUE(known_.parts.empty());
  }
}

TEST_F(MultipartTest, ACompletionWhoseAnswerWasLostIsFoundByItsObject) {
  start(kText, begun_of(kText, 3), true);
  EXPECT_FALSE(step("POST /k?uploadId=old", refusal(404, "NoSuchUpload")));
  EXPECT_TRUE(step("HEAD /k", answer(200, "", {{"content-length", "10"}})));
  ASSERT_TRUE(told_.existing);
  EXPECT_EQ(told_.existing->status, 200);
  EXPECT_FALSE(known_);
}

TEST_F(MultipartTest, AnUploadThatIsGoneWithoutAnObjectIsBegunAnewOnce) {
  start(kText, begun_of(kText, 1), true);
  EXPECT_FALSE(step("PUT /k?partNumber=2&uploadId=old", refusal(404, "NoSuchUpload")));
  EXPECT_FALSE(step("HEAD /k", answer(404)));
  EXPECT_FALSE(known_);
  EXPECT_FALSE(step("GET ?prefix=k&uploads=", listed({})));
  EXPECT_FALSE(step("POST /k?uploads=", begun("new")));
  EXPECT_FALSE(step("PUT /k?partNumber=1&uploadId=new", refusal(404, "NoSuchUpload")));
  EXPECT_EQ(body_, "0123") << "from the beginning";
  EXPECT_TRUE(step("HEAD /k", answer(404)));
  EXPECT_FALSE(known_);
  EXPECT_EQ(told_.answer.status, 404);
  EXPECT_FALSE(told_.existing);
}

TEST_F(MultipartTest, WhatCannotBeSeenIsLookedForAgain) {
  start(kText, begun_of(kText, 3), true);
  take(refusal(404, "NoSuchUpload"));
  known_ = begun_of(kText, 3);
  EXPECT_TRUE(step("HEAD /k", answer(0)));
  EXPECT_TRUE(known_) << "asked again in the next attempt";
  EXPECT_EQ(told_.answer.status, 404);
}

TEST_F(MultipartTest, AnotherObjectIsReplacedOnlyWhereThatIsAllowed) {
  const HttpResponse other = answer(200, "", {{"content-length", "11"}});
  start(kText, begun_of(kText, 3), true);
  take(refusal(404, "NoSuchUpload"));
  EXPECT_FALSE(take(other));
  options_.create_only = true;
  start(kText, begun_of(kText, 3), true);
  take(refusal(404, "NoSuchUpload"));
  EXPECT_TRUE(take(other));
  EXPECT_TRUE(told_.existing);
}

TEST_F(MultipartTest, AKeyThatIsTakenByOurOwnObjectNeedsNoUpload) {
  options_.create_only = true;
  start(kText, begun_of(kText, 3), true);
  EXPECT_FALSE(step("POST /k?uploadId=old", refusal(412, "PreconditionFailed")));
  EXPECT_FALSE(step("HEAD /k", answer(200, "", {{"content-length", "10"}})));
  EXPECT_TRUE(step("DELETE /k?uploadId=old", no_content()));
  EXPECT_EQ(told_.answer.status, 412);
  EXPECT_TRUE(told_.existing);
  EXPECT_FALSE(known_);
}

TEST_F(MultipartTest, AKeyThatIsTakenByAnotherObjectKeepsTheParts) {
  options_.create_only = true;
  known_ = begun_of(kText, 3);
  start(kText, known_, true);
  take(refusal(412, "PreconditionFailed"));
  EXPECT_TRUE(step("HEAD /k", answer(200, "", {{"content-length", "11"}})));
  EXPECT_TRUE(told_.existing);
  EXPECT_TRUE(known_) << "completed when the key is free";
}

TEST_F(MultipartTest, WhatLacksRecordsLeavesWhatIsThere) {
  start(kText, begun_of(kText, 3), true, true);
  asked();
  EXPECT_THAT(request_.http.headers,
              ::testing::Contains(::testing::Field(&HttpHeader::name, "if-none-match")));
  take(refusal(412, "PreconditionFailed"));
  EXPECT_FALSE(take(answer(200, "", {{"content-length", "11"}})));
  EXPECT_TRUE(step("DELETE /k?uploadId=old", no_content()));
}

TEST_F(MultipartTest, AFaultyUploadIsAbortedAndBegunAnewOnce) {
  for (const char* code : {"InvalidPart", "EntityTooSmall", "BadDigest"}) {
    start(kText, begun_of(kText, 3), true);
    EXPECT_FALSE(step("POST /k?uploadId=old", refusal(400, code)));
    EXPECT_FALSE(step("DELETE /k?uploadId=old", no_content()));
    EXPECT_FALSE(step("GET ?prefix=k&uploads=", listed({})));
    take(begun("new"));
    for (const char* tag : {"a", "b", "c"}) {
      asked();
      EXPECT_FALSE(take(part(tag)));
    }
    EXPECT_FALSE(step("POST /k?uploadId=new", refusal(400, code)));
    EXPECT_TRUE(step("DELETE /k?uploadId=new", no_content())) << "not a loop";
    EXPECT_EQ(told_.to, To::kComplete);
    EXPECT_EQ(told_.answer.status, 400);
    EXPECT_FALSE(known_);
  }
}

// What went up in one attempt is not sent again in the same: it would be refused again.
TEST_F(MultipartTest, AFaultyUploadOfThisAttemptIsAbortedAndNotSentAgain) {
  for (const char* code : {"InvalidPart", "BadDigest", "MalformedXML", "InvalidRequest"}) {
    const PartialUpload earlier =
        code == std::string("BadDigest") ? begun_of("other text", 1) : PartialUpload{};
    start(kText, earlier, bool(earlier));
    if (earlier) {  // of other bytes: this attempt begins its own
      take(no_content());
      take(answer(404));
      take(listed({}));
    }
    take(begun("up"));
    for (const char* tag : {"a", "b", "c"}) {
      asked();
      take(part(tag));
    }
    EXPECT_FALSE(step("POST /k?uploadId=up", refusal(400, code)));
    EXPECT_TRUE(step("DELETE /k?uploadId=up", no_content())) << code;
    EXPECT_EQ(told_.to, To::kComplete);
    EXPECT_FALSE(known_);
  }
}

TEST_F(MultipartTest, AFaultyUploadOfThisAttemptThatCannotBeAbortedStaysKnown) {
  start(kText);
  take(begun("up"));
  for (const char* tag : {"a", "b", "c"}) {
    asked();
    take(part(tag));
  }
  EXPECT_FALSE(step("POST /k?uploadId=up", refusal(400, "InvalidPart")));
  EXPECT_TRUE(step("DELETE /k?uploadId=up", refusal(503, "SlowDown")));
  EXPECT_EQ(told_.to, To::kComplete) << "the fault decides, and it never is a dead letter";
  EXPECT_EQ(known_.parts.size(), 3u) << "its completion is asked for again, no part is sent again";
}

// The batch is not refused for it before the upload was begun anew: the next attempt aborts it.
TEST_F(MultipartTest, AFaultyUploadThatCannotBeAbortedNowWaits) {
  for (const int status : {0, 503}) {
    known_ = begun_of(kText, 3);
    start(kText, known_, true);
    EXPECT_FALSE(step("POST /k?uploadId=old", refusal(400, "InvalidPart")));
    EXPECT_TRUE(step("DELETE /k?uploadId=old", answer(status)));
    EXPECT_EQ(told_.to, To::kClearing);
    EXPECT_EQ(told_.answer.status, status);
    EXPECT_TRUE(known_) << "the next attempt comes back to it";
  }
}

// The sink's checksum was changed meanwhile: S3 refuses parts of another kind.
TEST_F(MultipartTest, PartsThatDoNotFitAnEarlierUploadAreBegunAnew) {
  start(kText, begun_of(kText, 1), true);
  EXPECT_FALSE(step("PUT /k?partNumber=2&uploadId=old", refusal(400, "InvalidRequest")));
  EXPECT_FALSE(step("DELETE /k?uploadId=old", no_content()));
  start(kText);
  take(begun("up"));
  EXPECT_TRUE(step("PUT /k?partNumber=1&uploadId=up", refusal(400, "InvalidRequest")));
}

TEST_F(MultipartTest, AnErrorBehindA200IsNoCompletion) {
  start(kText, begun_of(kText, 3), true);
  EXPECT_TRUE(step("POST /k?uploadId=old", refusal(200, "InternalError")));
  EXPECT_EQ(told_.to, To::kComplete);
  start(kText, begun_of(kText, 3), true);
  EXPECT_FALSE(step("POST /k?uploadId=old", refusal(200, "NoSuchUpload")));
  EXPECT_EQ(asked(), "HEAD /k");
}

TEST_F(MultipartTest, ABrokenConnectionInTheMiddleOfALaterPartIsAnError) {
  start(kText);
  take(begun("up"));
  asked();
  EXPECT_EQ(asked(), "PUT /k?partNumber=1&uploadId=up");
  EXPECT_EQ(body_, "0123") << "the first part can be had again";
  take(part("a"));
  asked();
  EXPECT_THAT(asked(), HasSubstr("the connection broke when a part had begun"));
}

TEST(SameObject, ByChecksumOrLength) {
  const auto head = [](std::vector<HttpHeader> headers) { return answer(200, "", headers); };
  const S3Checksum kind = S3Checksum::kCrc32c;
  const auto same = [&](const HttpResponse& there, const char* checksum, bool renewed = false) {
    return same_object(there, kind, checksum, 5, renewed);
  };
  EXPECT_TRUE(same(head({{"x-amz-checksum-crc32c", "AA==-2"}}), "AA==-2"));
  EXPECT_TRUE(same(head({{"content-length", "5"}}), "AA==-2"));
  EXPECT_FALSE(same(head({{"content-length", "6"}}), "AA==-2"));
  EXPECT_FALSE(same(head({{"x-amz-checksum-crc32c", ""}}), ""));
  EXPECT_FALSE(same(answer(404), "AA==-2"));
  const auto both = [&](const char* checksum) {
    return head({{"content-length", "5"}, {"x-amz-checksum-crc32c", checksum}});
  };
  EXPECT_FALSE(same(both("BB==-2"), "AA==-2")) << "the bytes are wrong, whatever their length";
  EXPECT_FALSE(same(both("BB=="), "AA=="));
  EXPECT_TRUE(same(both("BB==-2"), "AA==-2", true)) << "under another key";
  EXPECT_TRUE(same(both("BB==-3"), "AA==-2")) << "of other parts: they cannot be compared";
  EXPECT_TRUE(same(both("BB=="), "AA==-2"));
}

}  // namespace
}  // namespace edgehose
