#include "sinks/events/events_transport.h"

#include <gmock/gmock.h>

#include "sinks/events/gzip.h"
#include "tests/sinks/events/events_transport_fixture.h"

namespace edgehose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(EventsTransportTest, SendsTheRecordsCompressedAndTellsWhichTheyAre) {
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 200) << response.answer.problem;
  EXPECT_EQ(gunzip(response.answer.body, 1 << 20), kLines);
  EXPECT_EQ(response.bytes, kLines.size());
  EXPECT_THAT(response.sent, ElementsAre(SequenceRange{Sequence(1), Sequence(3)}));
  EXPECT_EQ(response.endpoint, server_.url(""));
  const json asked = log();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0]["method"], "POST");
  EXPECT_EQ(asked[0]["path"], "/_bulk?a=b");
  EXPECT_EQ(asked[0]["headers"]["content-encoding"], "gzip");
  EXPECT_EQ(asked[0]["headers"]["content-type"], "text/x");
  EXPECT_EQ(asked[0]["headers"]["accept-encoding"], "gzip");
  EXPECT_EQ(asked[0]["headers"]["x-one"], "1");
  EXPECT_FALSE(asked[0]["headers"].contains("transfer-encoding")) << "a length is said";
}

TEST_F(EventsTransportTest, PlainWhereTheConfigSaysSo) {
  options_.gzip = false;
  EXPECT_EQ(post().answer.body, kLines);
  EXPECT_FALSE(log()[0]["headers"].contains("content-encoding"));
}

TEST_F(EventsTransportTest, NothingIsSentWhereNothingIsLeft) {
  store_.damage(BlockNumber(1));
  EXPECT_TRUE(post().nothing);
  EXPECT_EQ(log().size(), 0u);
}

TEST_F(EventsTransportTest, ABodyThatCannotBeReadIsNotSent) {
  store_.fail_at(BlockNumber(1));
  const PostResponse response = post();
  ASSERT_TRUE(response.unsent);
  EXPECT_EQ(response.unsent->message, "the disk is away");
  EXPECT_EQ(log().size(), 0u);
}

TEST_F(EventsTransportTest, GzipThatIsRefusedIsNotTriedAgain) {
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 415}}});
  EXPECT_EQ(post().answer.body, kLines);
  EXPECT_EQ(post().answer.body, kLines);
  const json asked = log();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_TRUE(asked[0]["headers"].contains("content-encoding"));
  EXPECT_FALSE(asked[1]["headers"].contains("content-encoding"));
  EXPECT_FALSE(asked[2]["headers"].contains("content-encoding"));
}

TEST_F(EventsTransportTest, WhatIsRefusedPlainTooWasNotGzipsFault) {
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 415}, {"times", 2}}});
  EXPECT_EQ(post().answer.status, 415);
  EXPECT_EQ(post().answer.status, 200);
  const json asked = log();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_TRUE(asked[2]["headers"].contains("content-encoding"));
}

TEST_F(EventsTransportTest, CredentialsAreReadForEachRequest) {
  options_.auth.user = "writer";
  options_.auth.password.kind = SecretRef::Kind::kPlain;
  options_.auth.password.plain = Secret("open sesame");
  post();
  EXPECT_EQ(log()[0]["headers"]["authorization"], "Basic d3JpdGVyOm9wZW4gc2VzYW1l");
}

TEST_F(EventsTransportTest, WithoutTheSecretNothingIsSent) {
  options_.auth.bearer.kind = SecretRef::Kind::kFile;
  options_.auth.bearer.where = "/nonexistent/token";
  const PostResponse response = post();
  ASSERT_TRUE(response.unsent);
  EXPECT_THAT(response.unsent->message, HasSubstr("/nonexistent/token"));
  EXPECT_EQ(log().size(), 0u);
}

TEST_F(EventsTransportTest, RequestsAreSignedForAws) {
  options_.auth.sigv4 = "es";
  options_.auth.region = "eu-west-1";
  for (SecretRef* secret :
       {&options_.credentials.access_key_id, &options_.credentials.secret_access_key}) {
    secret->kind = SecretRef::Kind::kPlain;
    secret->plain = Secret("AKIDEXAMPLE");
  }
  EXPECT_EQ(post().answer.status, 200);
  const std::string authorization = log()[0]["headers"]["authorization"];
  EXPECT_THAT(authorization, HasSubstr("/eu-west-1/es/aws4_request"));
  EXPECT_THAT(authorization, HasSubstr("content-encoding"));
}

// Over a kept-alive connection that breaks libcurl sends a request once more by itself.
TEST_F(EventsTransportTest, WhatHasNoIdsIsSentOnceByOneAttempt) {
  options_.once = true;
  EXPECT_EQ(post().answer.status, 200);
  faults(json::array({{{"do", "lost"}}}));
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_TRUE(response.answer.maybe_arrived);
}

TEST_F(EventsTransportTest, WhileSomethingIsWrongTheBodyWaitsToBeAskedFor) {
  options_.gzip = false;
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 401}}});
  post();
  post();
  post();
  const json asked = log();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_TRUE(asked[0]["headers"].contains("expect")) << "nothing was accepted yet";
  EXPECT_TRUE(asked[1]["headers"].contains("expect"));
  EXPECT_FALSE(asked[2]["headers"].contains("expect"));
}

TEST_F(EventsTransportTest, WhoServesIsAskedOnce) {
  options_.service.about = "/about";
  post();
  post();
  post();
  json asked = json::array();
  for (const json& entry : log())
    if (entry["method"] == "GET") asked.push_back(entry["path"]);
  EXPECT_EQ(asked, json({"/about"}));
}

TEST_F(EventsTransportTest, AnAnswerHasALimitAboveWhatServersSayOfEachRecord) {
  const auto answers = [this](std::size_t bytes) {
    faults({{{"do", "status"}, {"method", "POST"}, {"body", "<p>" + std::string(bytes, 'y')}}});
    return post().answer;
  };
  EXPECT_EQ(answers(1'100'000).status, 200) << "1 MiB, and the request's 100 KB";
  const HttpResponse too_long = answers(1'200'000);
  EXPECT_EQ(too_long.status, 0);
  EXPECT_EQ(too_long.failure, HttpFailure::kTooLong);
  EXPECT_THAT(too_long.body, StartsWith("<p>yy")) << "its sink sees whose it is";
}

TEST_F(EventsTransportTest, ARefusalThatDoesNotUnpackKeepsItsStatus) {
  const auto answers = [this](int status, const std::string& coding = "gzip") {
    faults({{{"do", "status"},
             {"method", "POST"},
             {"status", status},
             {"headers", {{"Content-Encoding", coding}}},
             {"body", "<html>busy</html>"}}});
    return post().answer;
  };
  const HttpResponse busy = answers(429);
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.body, "");
  EXPECT_EQ(busy.failure, HttpFailure::kNone);
  const HttpResponse unread = answers(200);
  EXPECT_EQ(unread.status, 0);
  EXPECT_EQ(unread.failure, HttpFailure::kResponse);
  EXPECT_TRUE(unread.maybe_arrived);
  for (const char* coding : {"GZIP", "x-gzip"}) EXPECT_EQ(answers(200, coding).status, 0) << coding;
  EXPECT_EQ(answers(200, "identity").status, 200);
}

TEST_F(EventsTransportTest, WhatIsAbandonedIsSilent) {
  transport().start(RequestId{1}, PostRequest{"/_bulk", "text/x", {}, body()}, nullptr);
  transport().abandon();
  std::vector<Completion> finished;
  EXPECT_EQ(transport().step(clock_->now(), finished), kNever);
  EXPECT_TRUE(finished.empty());
}

}  // namespace
}  // namespace edgehose
