// What the sink makes of the object that is there already.
#include "sinks/object/object_encoder.h"
#include "tests/sinks/s3/sink_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;

UploadResponse taken(HttpResponse existing) {
  UploadResponse upload = uploaded(answer(412, "PreconditionFailed"));
  upload.existing = std::move(existing);
  return upload;
}

TEST(S3Sink, AKeyThatIsTakenByOurOwnIsADelivery) {
  EXPECT_EQ(
      kind(judged(taken(answer(
          200, "", "", {{"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}, {"content-length", "9"}})))),
      "delivered");
  EXPECT_EQ(kind(judged(taken(answer(200, "", "", {{"content-length", "1234"}})))), "delivered")
      << "a service that keeps no checksums";
  UploadResponse partial = taken(answer(200, "", "", {{"content-length", "99999"}}));
  partial.partial = true;
  EXPECT_EQ(kind(judged(partial)), "delivered") << "an earlier attempt had all its records";
}

// Of the same length, and with another checksum.
HttpResponse other_bytes() {
  return answer(200, "", "",
                {{"x-amz-checksum-crc64nvme", "AAAAAAAAAAE="}, {"content-length", "1234"}});
}

TEST(S3Sink, WhatIsEncryptedHasOtherBytesEachTime) {
  Batch batch;
  ObjectRendering rendering;
  const auto verdict = [&](UploadResponse upload) {
    batch.claim.rendering = serialize_rendering(rendering);
    return kind(make()->judge(batch, std::move(upload)));
  };
  const auto renewed = [&] {
    return std::get<UploadRequest>(make()->request(batch, "", nullptr)).renewed;
  };
  EXPECT_EQ(verdict(taken(other_bytes())), "park");
  EXPECT_FALSE(renewed());
  rendering.s3ec = S3ecRendering{};
  EXPECT_EQ(verdict(taken(other_bytes())), "delivered");
  rendering = {};
  rendering.age_recipients = {"age1"};
  EXPECT_EQ(verdict(taken(other_bytes())), "delivered");
  EXPECT_TRUE(renewed());
  batch.wrong_there = true;
  EXPECT_EQ(verdict(taken(other_bytes())), "park") << "S3 was seen to have it wrong";
  EXPECT_FALSE(renewed());
  UploadResponse partial = taken(other_bytes());
  partial.partial = true;
  EXPECT_EQ(verdict(partial), "park");
}

TEST(S3Sink, AKeyThatIsTakenByAnotherIsKeptAndTold) {
  const Verdict verdict = judged(taken(answer(200, "", "", {{"content-length", "99999"}})));
  EXPECT_EQ(kind(verdict), "park");
  EXPECT_THAT(reason_of(verdict), HasSubstr("logs/x.log.zst is taken by an object of other bytes"));
  EXPECT_EQ(kind(judged(taken(other_bytes()))), "park") << "its length proves nothing";
  EXPECT_EQ(kind(judged(taken(answer(403)))), "park");
  EXPECT_EQ(kind(judged(taken(answer(404)))), "unclear") << "gone meanwhile: sent again";
  EXPECT_EQ(kind(judged(taken(answer(503)))), "unclear");
  EXPECT_EQ(kind(judged(taken(HttpResponse{}))), "unclear");
}

TEST(S3Sink, ALookThatIsToComeLaterComesLater) {
  UploadResponse upload = uploaded(answer(412, "PreconditionFailed"));
  upload.existing = answer(503, "", "", {{"retry-after", "6"}});
  EXPECT_EQ(std::get<Retry>(judged(upload)).after, std::chrono::seconds(6));
}

// What the bucket says of a batch that was refused for good, and that may have arrived before.
TEST(S3Sink, WhatIsRefusedMayBeThereAlready) {
  const auto looked = [](const char* code, HttpResponse there) {
    UploadResponse upload = uploaded(answer(400, code));
    upload.existing = std::move(there);
    return judged(upload);
  };
  const HttpResponse ours = answer(200, "", "", {{"content-length", "1234"}});
  const auto absent = [](const Verdict& verdict) {
    const auto* large = std::get_if<TooLarge>(&verdict);
    const auto* never = std::get_if<Rejected>(&verdict);
    const auto* name = std::get_if<KeyRefused>(&verdict);
    return (large && large->absent) || (never && never->absent) || (name && name->absent);
  };
  for (const char* code : {"EntityTooLarge", "InvalidStorageClass", "KeyTooLongError"}) {
    EXPECT_EQ(kind(looked(code, ours)), "delivered") << code;
    EXPECT_TRUE(absent(looked(code, answer(404)))) << code;
    EXPECT_EQ(kind(looked(code, answer(404))), kind(judged(uploaded(answer(400, code)))));
    EXPECT_FALSE(absent(judged(uploaded(answer(400, code))))) << "nobody looked";
    EXPECT_EQ(kind(looked(code, answer(403))), "park") << "without s3:ListBucket both look alike";
    EXPECT_THAT(reason_of(looked(code, answer(403))), HasSubstr(code));
    EXPECT_THAT(reason_of(looked(code, answer(403))), HasSubstr("s3:ListBucket"));
    EXPECT_EQ(kind(looked(code, answer(503))), "unclear");
    EXPECT_EQ(kind(looked(code, HttpResponse{})), "unclear");
    EXPECT_EQ(kind(looked(code, other_bytes())), "park");
    EXPECT_THAT(reason_of(looked(code, other_bytes())), HasSubstr("an object of other bytes"));
  }
  EXPECT_TRUE(absent(looked("KeyTooLongError", answer(400)))) << "as it answers to such a name";
  EXPECT_EQ(kind(looked("EntityTooLarge", answer(400))), "unclear");
}

}  // namespace
}  // namespace edgehose
