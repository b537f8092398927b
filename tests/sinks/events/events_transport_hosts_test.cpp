// One service at several hosts: who is asked, and whose answer counts.
#include <gmock/gmock.h>

#include <set>

#include "tests/sinks/events/events_transport_fixture.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

bool refuses_here(const HttpResponse& answer) { return answer.status == 401; }

TEST_F(EventsTransportTest, AHostThatIsAwayIsPassedOverAtOnce) {
  options_.endpoints = {"http://127.0.0.1:1", server_.url(""), "http://127.0.0.1:2"};
  for (int i = 0; i < 10; ++i) {
    const PostResponse response = post();
    EXPECT_EQ(response.answer.status, 200) << response.answer.problem;
    EXPECT_EQ(response.endpoint, server_.url(""));
  }
}

TEST_F(EventsTransportTest, WhereAllAreAwayTheLastAnswerCounts) {
  options_.endpoints = {"http://127.0.0.1:1", "http://127.0.0.1:2"};
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_EQ(response.answer.failure, HttpFailure::kConnect);
}

TEST_F(EventsTransportTest, WhatMayHaveArrivedGoesToNobodyElse) {
  FaultServer other;
  options_.endpoints = {server_.url(""), other.url("")};
  options_.gzip = false;
  const json lost = {{{"do", "lost"}, {"method", "POST"}, {"path", "/_bulk"}, {"times", 9}}};
  faults(lost);
  faults_at(other, lost);
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_TRUE(response.answer.maybe_arrived);
  std::set<std::string> asked;
  for (const FaultServer* server : {&server_, &other})
    if (!log(*server).empty()) asked.insert(server->port());
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(EventsTransportTest, ABusyHostRests) {
  FaultServer other;
  options_.endpoints = {server_.url(""), other.url("")};
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 503}, {"times", 99}}});
  for (int i = 0; i < 12; ++i) post();
  EXPECT_LE(log().size(), 2u) << "once, and not again for seconds";
}

TEST_F(EventsTransportTest, AHostThatRefusesAloneIsPassedOverAndRests) {
  FaultServer other;
  options_.service.host_refuses = refuses_here;
  options_.endpoints = {server_.url(""), other.url("")};
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 401}, {"times", 99}}});
  for (int i = 0; i < 12; ++i) EXPECT_EQ(post().answer.status, 200);
  EXPECT_LE(log().size(), 2u) << "once, and not again for seconds";
  EXPECT_EQ(log(other).size(), 12u);
}

TEST_F(EventsTransportTest, ARefusalCountsWhereEachHostHasSaidIt) {
  FaultServer other;
  options_.service.host_refuses = refuses_here;
  options_.endpoints = {server_.url(""), other.url("")};
  const json refusals = {{{"do", "status"}, {"method", "POST"}, {"status", 401}, {"times", 99}}};
  faults(refusals);
  faults_at(other, refusals);
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(post().answer.status, 401);
    EXPECT_EQ(log().size(), i) << "though it rests";
    EXPECT_EQ(log(other).size(), i);
  }
}

TEST_F(EventsTransportTest, ARefusalByOneWhileAnotherIsAwayIsToldAndNoRefusal) {
  options_.service.host_refuses = refuses_here;
  options_.endpoints = {server_.url(""), "http://127.0.0.1:1"};
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 401}, {"times", 99}}});
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const PostResponse response = post_anew(seed);
    EXPECT_EQ(response.answer.status, 0);
    EXPECT_EQ(response.answer.failure, HttpFailure::kConnect);
    EXPECT_THAT(response.answer.problem, HasSubstr("; " + server_.url("") + " answers 401"));
  }
}

TEST_F(EventsTransportTest, ASingleHostsRefusalIsTheAnswer) {
  options_.service.host_refuses = refuses_here;
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 401}, {"times", 2}}});
  EXPECT_EQ(post().answer.status, 401);
  EXPECT_EQ(post().answer.status, 401);
  EXPECT_EQ(post().answer.status, 200);
  EXPECT_EQ(log().size(), 3u);
}

TEST_F(EventsTransportTest, AHostThatAnswersWithAPageRestsAndNothingIsSentTwice) {
  FaultServer other;
  options_.service.host_fails = [](const HttpResponse& answer) {
    return answer.body.starts_with("<html>");
  };
  options_.endpoints = {server_.url(""), other.url("")};
  faults({{{"do", "status"}, {"method", "POST"}, {"body", "<html>Log in"}, {"times", 99}}});
  int pages = 0;
  for (int i = 0; i < 12; ++i) pages += post().answer.body.starts_with("<html>") ? 1 : 0;
  EXPECT_LE(pages, 2);
  EXPECT_EQ(log().size() + log(other).size(), 12u);
}

TEST_F(EventsTransportTest, WhoDoesNotReadGzipIsKnownForEachHost) {
  FaultServer other;
  options_.endpoints = {server_.url(""), other.url("")};
  faults({{{"do", "status"}, {"method", "POST"}, {"status", 415}}});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(post().answer.status, 200);
  const json here = log(), there = log(other);
  ASSERT_GT(here.size(), 2u);
  ASSERT_GT(there.size(), 0u);
  for (std::size_t i = 0; i < here.size(); ++i)
    EXPECT_EQ(here[i]["headers"].contains("content-encoding"), i == 0) << i;
  for (const json& asked : there) EXPECT_TRUE(asked["headers"].contains("content-encoding"));
  EXPECT_EQ(here.size() + there.size(), 21u);
}

}  // namespace
}  // namespace edgehose
