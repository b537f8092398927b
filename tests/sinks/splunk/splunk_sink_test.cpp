#include "sinks/splunk/splunk_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sinks/splunk/support.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

class SplunkSinkTest : public ::testing::Test {
 protected:
  SplunkSinkTest() {
    config_.common.name = "soc";
    config_.endpoints = {"https://a:8088"};
    batch_.source = "app";
    response_.sent = {range(1, 2)};
    response_.bytes = 1'000'000;
  }
  const SplunkSink& sink() {
    auto made = SplunkSink::create(config_, {"gw-1", "edge-7", {{"site", "north"}}, {}});
    EXPECT_TRUE(made);
    sink_ = *std::move(made);
    return *sink_;
  }
  PostRequest request() { return std::get<PostRequest>(sink().request(batch_, "", nullptr)); }
  template <class V>
  bool judged() {
    return std::holds_alternative<V>(sink().judge(batch_, response_));
  }
  std::string written(std::string_view body) {
    std::string out;
    Record record;
    record.body = body;
    sink().writer()(batch_)->append(record, "", out);
    return out;
  }

  SplunkConfig config_;
  Batch batch_;
  PostResponse response_;
  std::unique_ptr<SplunkSink> sink_;
};

TEST_F(SplunkSinkTest, EventsAndRawLines) {
  EXPECT_EQ(request().target, "/services/collector/event");
  EXPECT_EQ(request().content_type, "application/json");
  EXPECT_THAT(written("x"), HasSubstr(R"("source":"app","host":"edge-7","event":"x")"));
  config_.format = EventFormat::kRaw;
  config_.host = "!{label:site}";
  EXPECT_EQ(request().target, "/services/collector/raw?host=north&source=app");
  EXPECT_EQ(request().content_type, "text/plain");
  EXPECT_EQ(written("x"), "x\n");
}

TEST_F(SplunkSinkTest, ATextThatDoesNotGoNamesItsKey) {
  config_.index = "!{field:x}";
  const auto made = SplunkSink::create(config_, {});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, StartsWith("index: "));
}

TEST_F(SplunkSinkTest, NoTwoBatchesShareAKey) {
  BatchOutline batch;
  batch.source = "app";
  batch.first = Sequence(1), batch.last = Sequence(9);
  const std::string key = sink().key(batch, "");
  EXPECT_EQ(sink().key(batch, "max_raw_size=1"), key);
  batch.replay = "0a1b2c3d";
  EXPECT_NE(sink().key(batch, ""), key);
  batch.replay.clear();
  batch.last = Sequence(8);
  EXPECT_NE(sink().key(batch, ""), key);
}

TEST_F(SplunkSinkTest, DeliveredIsWhatTheCollectorSays) {
  response_.answer = hec_response(200, 0);
  EXPECT_TRUE(judged<Delivered>());
  config_.ack = true;
  EXPECT_TRUE(judged<Poll>());
  response_.answer = hec_response(200, "<html>Log in</html>");
  EXPECT_TRUE(judged<Retry>());
  response_.nothing = true;
  EXPECT_TRUE(judged<Delivered>());
}

TEST_F(SplunkSinkTest, AReceiptIsAskedForAndJudgedByItself) {
  config_.ack = true;
  batch_.receipt = Receipt{"https://a:8088", "c-1", 7}.text();
  const Batch* const batches[] = {&batch_};
  const auto asked = sink().poll(batches, "");
  ASSERT_TRUE(asked);
  EXPECT_EQ(std::get<PostRequest>(*asked).channel, "c-1");
  response_.answer = hec_response(200, R"({"acks":{"7":true}})");
  EXPECT_TRUE(judged<Delivered>());
  response_.answer = hec_response(200, 0);
  EXPECT_TRUE(judged<Poll>()) << "that says nothing of it";
}

TEST_F(SplunkSinkTest, WhatWasNotAcknowledgedTakesAnotherChannel) {
  EXPECT_EQ(request().spent_channel, "");
  batch_.spent_receipt = Receipt{"https://a:8088", "c-1", 7}.text();
  EXPECT_EQ(request().spent_channel, "c-1");
  EXPECT_EQ(request().channel, "") << "its host's next one";
}

TEST_F(SplunkSinkTest, WhatComesBackAgainHasAChannelOfItsOwn) {
  batch_.spent_receipt = Receipt{"https://a:8088", "c-1", 0}.text();
  batch_.spent_receipts = 2;
  batch_.claim.key = "app 1 to 2";
  const std::string own = request().channel;
  EXPECT_THAT(own, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                         "[0-9a-f]{12}"));
  EXPECT_EQ(request().spent_channel, "c-1");
  batch_.claim.key = "app 3 to 4";
  EXPECT_NE(request().channel, own) << "of the same receipt";
  batch_.claim.key = "app 1 to 2";
  batch_.spent_receipt = Receipt{"https://a:8088", own, 0}.text();
  EXPECT_NE(request().channel, own);
}

TEST_F(SplunkSinkTest, WhatWasNotSent) {
  response_.unsent = Error{ErrorCode::kAuth, 0, "no token"};
  EXPECT_TRUE(judged<Park>());
  response_.unsent = Error{ErrorCode::kFull, 0, "more than 2 MiB"};
  EXPECT_TRUE(judged<TooLarge>());
  response_.unsent.reset();
  response_.answer.maybe_arrived = true;
  EXPECT_TRUE(std::get<Retry>(sink().judge(batch_, response_)).maybe_arrived);
}

TEST_F(SplunkSinkTest, LearnsTheSizeThatTheServerTakes) {
  response_.answer = hec_response(413, "<html>");
  EXPECT_TRUE(judged<TooLarge>());
  const auto note = sink().learn("", response_);
  ASSERT_TRUE(note);
  EXPECT_EQ(sink().size_limit(*note), 500'000u);
  response_.answer = hec_response(400, 6);
  EXPECT_EQ(sink().learn("", response_), std::nullopt) << "halved to find an event";
}

TEST_F(SplunkSinkTest, HowItsTransportAsks) {
  config_.ack = true;
  const EventsTransport::Options options = splunk_transport(config_);
  EXPECT_EQ(options.channel_header, "X-Splunk-Request-Channel");
  EXPECT_EQ(options.service.health, "/services/collector/health?ack=true");
  EXPECT_TRUE(options.once) << "what is sent twice is there twice";
  EXPECT_TRUE(options.http.cookies);
}

}  // namespace
}  // namespace edgehose
