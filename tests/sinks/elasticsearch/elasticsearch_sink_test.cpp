#include "sinks/elasticsearch/elasticsearch_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ElasticsearchSinkTest : public ::testing::Test {
 protected:
  ElasticsearchSinkTest() {
    config_.common.name = "search";
    config_.endpoints = {"https://es1:9200"};
    config_.index = "logs";
    batch_.source = "app";
    response_.sent = {{Sequence(1), Sequence(2)}};
    response_.bytes = 1'000'000;
  }
  const ElasticsearchSink& sink() {
    std::vector<std::string> warnings;
    auto made =
        ElasticsearchSink::create(config_, {"gw-1", "h", {{"site", "north"}}, {}}, warnings);
    EXPECT_TRUE(made);
    sink_ = *std::move(made);
    return *sink_;
  }
  PostRequest request() { return std::get<PostRequest>(sink().request(batch_, "", nullptr)); }
  void answer(int status, std::string body = "") {
    response_.answer.status = status;
    response_.answer.body = std::move(body);
  }
  std::string items(const std::string& rest) {
    const RecordIds ids("gw-1", batch_.epoch, "app");
    return fmt::format(R"({{"items":[{{"create":{{"_id":"{0}1",{1}}}}},{{"create":{{"_id":"{0}2",)"
                       R"({1}}}}}]}})",
                       ids.beginning(), rest);
  }
  template <class V>
  bool judged() {
    return std::holds_alternative<V>(sink().judge(batch_, response_));
  }

  ElasticsearchConfig config_;
  Batch batch_;
  PostResponse response_;
  std::unique_ptr<ElasticsearchSink> sink_;
};

TEST_F(ElasticsearchSinkTest, AsksForWhatItJudgesAndNoMore) {
  EXPECT_EQ(request().target,
            "/logs/_bulk?filter_path=took,errors,items.*._id,items.*.status,items.*.error.type,"
            "items.*.error.reason,items.*.error.caused_by.reason,items.*._index");
  EXPECT_EQ(request().content_type, "application/x-ndjson");
}

TEST_F(ElasticsearchSinkTest, OptionsOfARequest) {
  config_.pipeline = "clean up";
  config_.routing = "a/b";
  config_.require_data_stream = true;
  EXPECT_THAT(request().target,
              HasSubstr("&pipeline=clean%20up&routing=a%2Fb&require_data_stream=true"));
}

TEST_F(ElasticsearchSinkTest, WhereDocumentsGo) {
  config_.index = "logs-!{label:site}";
  EXPECT_THAT(request().target, StartsWith("/logs-north/_bulk?"));
  config_.index = "logs-!{timestamp:yyyy}";
  EXPECT_THAT(request().target, StartsWith("/_bulk?"));
  config_.index = "";
  config_.data_stream = "logs-edge-default";
  EXPECT_THAT(request().target, StartsWith("/logs-edge-default/_bulk?"));
}

TEST_F(ElasticsearchSinkTest, WhereDocumentsAreIsAskedWhereItTellsSomething) {
  const auto asks = [this] { return request().target.find("_index") != std::string::npos; };
  EXPECT_TRUE(asks());
  config_.ids = false;
  EXPECT_FALSE(asks()) << "what may be there twice is counted anyway";
  config_.ids = true;
  config_.index = "logs-!{timestamp:yyyy}";
  EXPECT_FALSE(asks()) << "each document names its index";
  config_.index = "";
  config_.data_stream = "logs-edge-default";
  EXPECT_FALSE(asks()) << "it is never that of its name";
}

TEST_F(ElasticsearchSinkTest, ARepetitionBehindADataStreamIsCounted) {
  answer(200, items("\"status\":201"));
  const auto duplicates = [this] {
    return std::get<Delivered>(sink().judge(batch_, response_)).possible_duplicates;
  };
  batch_.maybe_arrived = true;
  EXPECT_EQ(duplicates(), 0u);
  config_.index = "";
  config_.data_stream = "logs-edge-default";
  EXPECT_EQ(duplicates(), 2u);
  batch_.maybe_arrived = false;
  EXPECT_EQ(duplicates(), 0u);
}

TEST_F(ElasticsearchSinkTest, ARepetitionIntoAnotherIndexByConfigIsCounted) {
  answer(200, items("\"status\":201"));
  const auto duplicates = [this] {
    return std::get<Delivered>(sink().judge(batch_, response_)).possible_duplicates;
  };
  const WallTime in_2026(1'795'000'000'000'000'000);
  config_.index = "logs-!{timestamp:yyyy}";
  const std::string dated = sink().rendering_at(in_2026);
  EXPECT_TRUE(dated.starts_with("bulk cut=1795000000000000000 "));
  batch_.maybe_arrived = true;
  config_.index = "logs";
  for (const std::string& rendering : {dated, sink().rendering(), std::string("bulk")}) {
    batch_.claim.rendering = rendering;
    EXPECT_EQ(duplicates(), rendering == dated ? 2u : 0u) << rendering;
  }
  config_.index = "other";
  batch_.claim.rendering = dated;
  batch_.maybe_arrived = false;
  EXPECT_EQ(duplicates(), 0u);
}

TEST_F(ElasticsearchSinkTest, ADataStreamIsOneAtAllTimes) {
  std::vector<std::string> warnings;
  config_.index = "";
  config_.data_stream = "logs-!{timestamp:yyyy}";
  const auto made = ElasticsearchSink::create(config_, {}, warnings);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, StartsWith("data_stream: "));
}

TEST_F(ElasticsearchSinkTest, NoTwoBatchesShareAKey) {
  BatchOutline batch;
  batch.source = "app";
  batch.first = Sequence(1), batch.last = Sequence(9);
  const std::string key = sink().key(batch, "");
  EXPECT_EQ(sink().key(batch, "max_raw_size=1"), key);
  batch.replay = "0a1b2c3d";
  EXPECT_NE(sink().key(batch, ""), key);
  batch.replay.clear();
  batch.epoch[0] = 1;
  EXPECT_NE(sink().key(batch, ""), key);
  batch.epoch[0] = 0;
  batch.last = Sequence(8);
  EXPECT_NE(sink().key(batch, ""), key);
}

TEST_F(ElasticsearchSinkTest, DeliveredIsWhatTheServerSaysOfEachRecord) {
  answer(200, items("\"status\":201"));
  EXPECT_TRUE(judged<Delivered>());
  response_.sent = {{Sequence(1), Sequence(3)}};
  EXPECT_TRUE(judged<Retry>());
  answer(200, "<html>Log in</html>");
  EXPECT_TRUE(judged<Retry>());
  response_.nothing = true;
  EXPECT_TRUE(judged<Delivered>());
}

TEST_F(ElasticsearchSinkTest, ADuplicateIsADeliveryByItsIdOnly) {
  answer(200, items("\"status\":409,\"error\":{\"type\":\"version_conflict_engine_exception\"}"));
  EXPECT_TRUE(judged<Delivered>());
  batch_.source = "other";
  EXPECT_TRUE(judged<Retry>()) << "of another source";
}

TEST_F(ElasticsearchSinkTest, WhatWasNotSent) {
  response_.unsent = Error{ErrorCode::kAuth, 0, "no password"};
  EXPECT_TRUE(judged<Park>());
  response_.unsent = Error{ErrorCode::kIo, 0, "the disk"};
  EXPECT_TRUE(judged<Retry>());
  response_.unsent = Error{ErrorCode::kFull, 0, "more than 20 MiB"};
  ASSERT_TRUE(judged<TooLarge>());
  EXPECT_TRUE(std::get<TooLarge>(sink().judge(batch_, response_)).unsent);
}

TEST_F(ElasticsearchSinkTest, ABlockedIndexIsWaitedForAsLongAsTheConfigSays) {
  answer(200, items("\"status\":403,\"error\":{\"type\":\"cluster_block_exception\"}"));
  batch_.held_back = std::chrono::hours(24 * 365);
  const auto again = [&] { return std::get<Partly>(sink().judge(batch_, response_)).again.size(); };
  EXPECT_EQ(again(), 1u);
  config_.blocked_max_age = std::chrono::hours(24 * 7);
  EXPECT_EQ(again(), 0u);
  batch_.held_back = std::chrono::hours(24 * 7 - 1);
  EXPECT_EQ(again(), 1u);
}

TEST_F(ElasticsearchSinkTest, LearnsTheSizeThatTheServerTakes) {
  EXPECT_EQ(sink().size_limit(""), std::nullopt);
  EXPECT_EQ(sink().size_limit("region=eu-west-1 of=x"), std::nullopt);
  answer(200, items("\"status\":201"));
  EXPECT_EQ(sink().learn("", response_), std::nullopt);
  answer(413);
  EXPECT_TRUE(judged<TooLarge>());
  const auto note = sink().learn("", response_);
  ASSERT_TRUE(note);
  EXPECT_EQ(sink().size_limit(*note), 500'000u);
  response_.bytes = 500'000;
  const auto less = sink().learn(*note, response_);
  ASSERT_TRUE(less);
  EXPECT_EQ(sink().size_limit(*less), 250'000u);
  response_.bytes = 900'000;
  EXPECT_EQ(sink().learn(*less, response_), std::nullopt) << "it is known to be less";
  response_.bytes = 20'000;
  EXPECT_EQ(sink().size_limit(*sink().learn("", response_)), 16u << 10);
  response_.bytes = 4'000;
  EXPECT_EQ(sink().learn("", response_), std::nullopt) << "not of its size";
}

TEST_F(ElasticsearchSinkTest, WhatIsTakenShowsThatTheLimitIsHigher) {
  answer(413);
  const std::string note = *sink().learn("", response_);
  answer(200, items("\"status\":201"));
  response_.bytes = 500'000;
  EXPECT_EQ(sink().learn(note, response_), std::nullopt);
  response_.bytes = 800'000;
  const auto more = sink().learn(note, response_);
  ASSERT_TRUE(more);
  EXPECT_EQ(sink().size_limit(*more), 800'000u);
}

TEST_F(ElasticsearchSinkTest, NothingIsLearnedFromWhatWasNotSentOrNotAnswered) {
  response_.unsent = Error{ErrorCode::kFull, 0, "more than 20 MiB"};
  EXPECT_EQ(sink().learn("", response_), std::nullopt);
  response_.unsent.reset();
  response_.answer.failure = HttpFailure::kTooLong;
  EXPECT_EQ(sink().learn("", response_), std::nullopt);
}

TEST_F(ElasticsearchSinkTest, WhatWasReadBeforeTheClockWasSetGoesByWhenItsBatchWasCut) {
  config_.index = "logs-!{timestamp:yyyy}";
  EXPECT_TRUE(sink().goes_by_time());
  const WallTime in_2026(1'795'000'000'000'000'000), in_1970(5'000'000'000);
  batch_.claim.rendering = sink().rendering_at(in_2026);
  const auto index_at = [&](WallTime read) {
    std::string out;
    Record record;
    record.time = read;
    sink().writer()(batch_)->append(record, "", out);
    const std::size_t at = out.find("logs-");
    return out.substr(at, 9);
  };
  EXPECT_EQ(index_at(in_1970), "logs-2026");
  EXPECT_EQ(index_at(WallTime(1'700'000'000'000'000'000)), "logs-2023") << "its own";
  for (const std::string& rendering : {sink().rendering_at(in_1970), sink().rendering(),
                                       std::string("bulk cut="), std::string("bulk cut=1x")}) {
    batch_.claim.rendering = rendering;
    EXPECT_EQ(index_at(in_1970), "logs-1970") << rendering;
  }
  config_.index = "logs";
  EXPECT_FALSE(sink().goes_by_time());
  EXPECT_EQ(sink().rendering_at(in_2026), sink().rendering());
}

TEST_F(ElasticsearchSinkTest, ItsWriterMakesDocuments) {
  config_.index = "logs-!{timestamp:yyyy}";
  config_.fields = {{"service.name", "gateway"}};
  const MakeWriter make = sink().writer();
  sink_.reset();
  std::string out;
  Record record;
  record.body = "hello";
  make(batch_)->append(record, "", out);
  EXPECT_THAT(out, HasSubstr("\"_index\":\"logs-1970\""));
  EXPECT_THAT(out, HasSubstr("\"message\":\"hello\""));
  EXPECT_THAT(out, HasSubstr("\"labels\":{\"site\":\"north\"}"));
  EXPECT_THAT(out, HasSubstr("\"service\":{\"name\":\"gateway\"}"));
  EXPECT_THAT(out, Not(HasSubstr("offset")));
}

}  // namespace
}  // namespace edgehose
