#include "sinks/events/events_transport.h"

#include <gmock/gmock.h>

#include <set>

#include "agent/base/base64.h"
#include "sinks/events/gzip.h"
#include "tests/sinks/http/fault_server.h"
#include "tests/sinks/object/fake_store.h"

namespace edgehose {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class LineWriter final : public EventWriter {
 public:
  void append(const Record& record, std::string_view, std::string& out) override {
    out.append(record.body).push_back('\n');
  }
};

bool refuses_gzip_here(const HttpResponse& answer) { return answer.status == 415; }
bool fails_here(const HttpResponse& answer) { return answer.status == 503; }
std::string who(const HttpResponse& answer) { return answer.body; }

class EventsTransportTest : public ::testing::Test {
 protected:
  EventsTransportTest() {
    store_.add(SourceId(1), {"one", "two", std::string(100'000, 'x')}, false);
    batch_.claim.lane = {SinkId(1), SourceId(1)};
    batch_.claim.begin = {BlockNumber(1), 0};
    batch_.claim.end = {BlockNumber(2), 0};
    batch_.claim.first = Sequence(1), batch_.claim.last = Sequence(3);
    options_.name = "search";
    options_.endpoints = {server_.url("")};
    options_.service = {refuses_gzip_here, nullptr, fails_here, "", who};
  }

  std::shared_ptr<EventBody> body() {
    return std::make_shared<EventBody>(
        store_, batch_, [](const Batch&) { return std::make_unique<LineWriter>(); }, 1 << 20);
  }
  EventsTransport& transport() {
    if (!transport_) transport_ = std::make_unique<EventsTransport>(options_, *clock_);
    return *transport_;
  }
  PostResponse post(std::shared_ptr<ByteSource> body) {
    transport().start(RequestId{1}, PostRequest{"/_bulk?a=b", "text/x", {{"x-one", "1"}}, body},
                      nullptr);
    std::vector<Completion> finished;
    const Instant deadline = clock_->now() + 30s;
    while (finished.empty() && clock_->now() < deadline) {
      const Instant next = transport().step(clock_->now(), finished);
      if (finished.empty()) clock_->wait(transport().descriptors(), std::min(next, deadline));
    }
    EXPECT_EQ(finished.size(), 1u) << "no end of a request";
    return std::get<PostResponse>(std::move(finished.at(0).response));
  }
  PostResponse post() { return post(body()); }

  static HttpResponse ask(const FaultServer& server, const std::string& method,
                          const std::string& path, const std::string& text) {
    const auto clock = make_system_clock();
    HttpClient client({}, *clock);
    return exchange(client, *clock,
                    {.method = method, .url = server.url(path), .body = body_of(text)});
  }
  void faults(const json& list) {
    ASSERT_EQ(ask(server_, "POST", "/__faults", list.dump()).status, 200);
  }
  // What was asked for but this.
  static json log(const FaultServer& server) {
    json all = json::parse(ask(server, "GET", "/__log", "").body);
    json asked = json::array();
    for (json& entry : all)
      if (!entry["path"].get<std::string>().starts_with("/__")) asked.push_back(entry);
    return asked;
  }
  json log() { return log(server_); }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  FaultServer server_;
  test::FakeStore store_;
  Batch batch_;
  EventsTransport::Options options_;
  std::unique_ptr<EventsTransport> transport_;
};

const std::string kLines = "one\ntwo\n" + std::string(100'000, 'x') + "\n";

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
  ask(other, "POST", "/__faults", lost.dump());
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

TEST_F(EventsTransportTest, AnAnswerHasALimit) {
  faults({{{"do", "status"}, {"method", "POST"}, {"body", std::string(200'000, 'y')}}});
  const PostResponse response = post();
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_EQ(response.answer.failure, HttpFailure::kTooLong);
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
