// What services with channels and a word of their health are asked: Splunk's.
#include <gmock/gmock.h>

#include "tests/sinks/events/events_transport_fixture.h"

namespace edgehose {
namespace {

using testing::MatchesRegex;

HostHealth health_here(const HttpResponse& answer) {
  if (answer.status == 404) return HostHealth::kNotKnown;
  return answer.status == 503 ? HostHealth::kUnwell : HostHealth::kWell;
}

class EventsTransportChannelsTest : public EventsTransportTest {
 protected:
  EventsTransportChannelsTest() { options_.channel_header = "x-channel"; }
  // "GET /health", of what was asked for.
  std::vector<std::string> asked() {
    std::vector<std::string> all;
    for (const json& entry : log())
      all.push_back(entry["method"].get<std::string>() + " " + entry["path"].get<std::string>());
    return all;
  }
  std::vector<std::string> channels_asked() {
    std::vector<std::string> all;
    for (const json& entry : log()) all.push_back(entry["headers"].value("x-channel", "none"));
    return all;
  }
  void check_health() {
    options_.service.health = "/health";
    options_.service.health_of = health_here;
  }
};

TEST_F(EventsTransportChannelsTest, AHostHasOneChannelUntilItIsSpent) {
  const std::string first = post().channel;
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                  "[0-9a-f]{12}"));
  EXPECT_EQ(post().channel, first);
  PostRequest anew = request();
  anew.spent_channel = first;
  const std::string second = send(anew).channel;
  EXPECT_NE(second, first);
  PostRequest again = request();
  again.spent_channel = first;
  EXPECT_EQ(send(again).channel, second) << "there is another one already";
  EXPECT_EQ(channels_asked(), (std::vector{first, first, second, second}));
}

TEST_F(EventsTransportChannelsTest, EachHostHasItsOwnChannel) {
  FaultServer other;
  options_.endpoints = {server_.url(""), other.url("")};
  std::map<std::string, std::set<std::string>> channels;
  for (int i = 0; i < 20; ++i) {
    const PostResponse response = post();
    channels[response.endpoint].insert(response.channel);
  }
  ASSERT_EQ(channels.size(), 2u);
  for (const auto& [endpoint, its] : channels) EXPECT_EQ(its.size(), 1u);
  EXPECT_NE(channels.begin()->second, channels.rbegin()->second);
}

TEST_F(EventsTransportChannelsTest, WithoutChannelsNoneIsSaid) {
  options_.channel_header.clear();
  EXPECT_EQ(post().channel, "");
  EXPECT_EQ(channels_asked(), (std::vector<std::string>{"none"}));
}

// As acknowledgements are asked for.
TEST_F(EventsTransportChannelsTest, ATextGoesToTheHostAndOnTheChannelThatItNames) {
  FaultServer other;
  options_.endpoints = {other.url(""), server_.url("")};
  faults_at(other, {{{"do", "status"}, {"status", 503}, {"times", 99}}});
  const std::string current = post().channel;
  for (int i = 0; i < 3; ++i) {
    PostRequest question{.target = "/ack", .content_type = "application/json", .body = nullptr};
    question.text = "{\"acks\":[1]}";
    question.endpoint = server_.url("");
    question.channel = "the-old-one";
    const PostResponse response = send(question);
    EXPECT_EQ(response.endpoint, server_.url(""));
    EXPECT_EQ(response.channel, "the-old-one");
    EXPECT_EQ(response.answer.body, question.text) << "as it is: not compressed";
    EXPECT_EQ(response.bytes, question.text.size());
    EXPECT_TRUE(response.sent.empty());
  }
  const json last = log().back();
  EXPECT_EQ(last["method"], "POST");
  EXPECT_EQ(last["path"], "/ack");
  EXPECT_EQ(last["headers"]["content-type"], "application/json");
  EXPECT_EQ(last["headers"]["x-channel"], "the-old-one");
}

TEST_F(EventsTransportChannelsTest, WhatIsToBeAskedOfOneHostGoesToNoOther) {
  options_.endpoints = {"http://127.0.0.1:1", server_.url("")};
  PostRequest question = request();
  question.endpoint = "http://127.0.0.1:1";
  const PostResponse response = send(question);
  EXPECT_EQ(response.answer.failure, HttpFailure::kConnect);
  EXPECT_EQ(response.endpoint, question.endpoint);
  EXPECT_EQ(log().size(), 0u);
}

TEST_F(EventsTransportChannelsTest, WithoutATextItIsAGet) {
  const PostResponse response =
      send({.target = "/what", .content_type = "text/x", .body = nullptr});
  EXPECT_EQ(response.answer.status, 404);
  EXPECT_EQ(response.bytes, 0u);
  EXPECT_EQ(asked(), (std::vector<std::string>{"GET /what"}));
  EXPECT_FALSE(log()[0]["headers"].contains("content-type"));
}

TEST_F(EventsTransportChannelsTest, AHostIsAskedHowItIsWhileSomethingIsWrong) {
  check_health();
  const std::string bulk = "POST /_bulk?a=b", health = "GET /health";
  const PostResponse first = post();
  EXPECT_EQ(first.answer.status, 200);
  EXPECT_FALSE(first.of_health);
  post();
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 503}}});
  EXPECT_FALSE(post().of_health) << "all was well";
  EXPECT_EQ(post().answer.status, 200);
  EXPECT_EQ(asked(), (std::vector{health, bulk, bulk, bulk, health, bulk}));
  EXPECT_FALSE(log()[1]["headers"].contains("expect")) << "it has said that it is well";
  EXPECT_EQ(channels_asked(), std::vector(6, first.channel));
}

TEST_F(EventsTransportChannelsTest, NothingIsSentToAHostThatIsUnwell) {
  check_health();
  faults({{{"do", "status"}, {"method", "GET"}, {"status", 503}, {"body", "queues are full"}}});
  const PostResponse response = post();
  EXPECT_TRUE(response.of_health);
  EXPECT_EQ(response.answer.status, 503);
  EXPECT_EQ(response.answer.body, "queues are full");
  EXPECT_EQ(asked(), (std::vector<std::string>{"GET /health"}));
  EXPECT_FALSE(post().of_health);
}

TEST_F(EventsTransportChannelsTest, AHostThatCannotSayHowItIsGetsTheHeadersFirst) {
  check_health();
  options_.gzip = false;
  faults({{{"do", "status"}, {"method", "GET"}, {"status", 404}}});
  EXPECT_EQ(post().answer.status, 200);
  EXPECT_EQ(asked(), (std::vector<std::string>{"GET /health", "POST /_bulk?a=b"}));
  EXPECT_EQ(log()[1]["headers"].value("expect", ""), "100-continue");
}

TEST_F(EventsTransportChannelsTest, WhereTheHostIsAwayNobodySaysHowItIs) {
  check_health();
  options_.endpoints = {"http://127.0.0.1:1"};
  const PostResponse response = post();
  EXPECT_EQ(response.answer.failure, HttpFailure::kConnect);
  EXPECT_TRUE(response.of_health) << "no body went";
  EXPECT_FALSE(response.answer.maybe_arrived);
}

TEST_F(EventsTransportChannelsTest, AQuestionThatIsLostHasBroughtNothingThere) {
  check_health();
  faults({{{"do", "lost"}, {"method", "GET"}}});
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_TRUE(response.of_health);
  EXPECT_FALSE(response.answer.maybe_arrived);
  EXPECT_EQ(asked(), (std::vector<std::string>{"GET /health"}));
}

TEST_F(EventsTransportChannelsTest, WhereItIsLostAnotherHostGetsTheBodyAtOnce) {
  FaultServer other;
  check_health();
  options_.endpoints = {server_.url(""), other.url("")};
  faults({{{"do", "lost"}, {"method", "GET"}, {"times", 99}}});
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const PostResponse response = post_anew(seed);
    EXPECT_EQ(response.answer.status, 200) << response.answer.problem;
    EXPECT_EQ(response.endpoint, other.url(""));
    EXPECT_FALSE(response.of_health);
  }
  EXPECT_GT(log().size(), 0u) << "it was asked";
}

TEST_F(EventsTransportChannelsTest, AQuestionIsNotAskedAfterHealth) {
  check_health();
  PostRequest question{.target = "/ack", .content_type = "application/json", .body = nullptr};
  question.text = "{}";
  send(question);
  EXPECT_EQ(asked(), (std::vector<std::string>{"POST /ack"}));
}

TEST_F(EventsTransportChannelsTest, WhatTellsHowItIsAlsoTellsWhoItIs) {
  check_health();
  options_.service.about = options_.service.health;
  post();
  post();
  EXPECT_EQ(asked(),
            (std::vector<std::string>{"GET /health", "POST /_bulk?a=b", "POST /_bulk?a=b"}));
}

}  // namespace
}  // namespace edgehose
