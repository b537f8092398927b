#include "sinks/http/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>

#include "tests/sinks/http/fault_server.h"

namespace edgehose {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClient& client() {
    if (!client_) client_ = std::make_unique<HttpClient>(options_, *clock_);
    return *client_;
  }
  HttpResponse send(HttpRequest request) { return exchange(client(), *clock_, std::move(request)); }
  HttpResponse send(const std::string& method, const std::string& path, std::string body) {
    return send({.method = method, .url = server_.url(path), .body = body_of(std::move(body))});
  }
  HttpResponse get(const std::string& path) {
    return send({.method = "GET", .url = server_.url(path)});
  }
  void next(json fault) { faults({std::move(fault)}); }
  void faults(std::vector<json> faults) {
    HttpClient control({}, *clock_);
    const HttpResponse response = exchange(
        control, *clock_,
        {.method = "POST", .url = server_.url("/__faults"), .body = body_of(json(faults).dump())});
    ASSERT_EQ(response.status, 200) << response.problem;
  }
  json log() {
    HttpClient control({}, *clock_);
    return json::parse(
        exchange(control, *clock_,
                 {.method = "GET", .url = server_.url("/__log"), .response_limit = 1 << 20})
            .body);
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  FaultServer server_;
  HttpClientOptions options_;
  std::unique_ptr<HttpClient> client_;
};

// 3 MiB that no buffer of libcurl's holds whole.
std::string large_body() {
  std::string body(3 << 20, ' ');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  return body;
}

TEST_F(HttpClientTest, PutsABodyAndGetsItBack) {
  const std::string body = large_body();
  options_.config.max_upload_rate.reset();
  EXPECT_EQ(send("PUT", "/bucket/a//b/../c", body).status, 200);
  EXPECT_EQ(log().back()["path"], "/bucket/a//b/../c") << "paths are sent as they are";
  HttpRequest request{.method = "GET", .url = server_.url("/bucket/a//b/../c")};
  request.response_limit = 4 << 20;
  const HttpResponse response = send(std::move(request));
  EXPECT_EQ(response.failure, HttpFailure::kNone) << response.problem;
  EXPECT_EQ(response.body, body);
  EXPECT_FALSE(response.verified) << "plain http proves nothing";
}

TEST_F(HttpClientTest, HeadersGoAndComeBackInLowerCase) {
  next({{"do", "status"},
        {"status", 503},
        {"headers", {{"Retry-After", "7"}, {"X-Amz-Id", "a b "}}}});
  const HttpResponse response = send({.method = "PUT",
                                      .url = server_.url("/x?uploads="),
                                      .headers = {{"x-amz-meta-k", "v  w"}, {"x-empty", ""}},
                                      .body = body_of("")});
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(*response.header("retry-after"), "7");
  EXPECT_EQ(*response.header("x-amz-id"), "a b");
  const json asked = log().back();
  EXPECT_EQ(asked["path"], "/x?uploads=");
  EXPECT_EQ(asked["headers"]["x-amz-meta-k"], "v  w");
  EXPECT_EQ(asked["headers"]["x-empty"], "");
  EXPECT_EQ(asked["headers"]["content-length"], "0");
  EXPECT_EQ(asked["headers"]["user-agent"], fmt::format("edgehose/{}", kVersion));
  EXPECT_FALSE(asked["headers"].contains("expect"));
}

TEST_F(HttpClientTest, HeadHasNoBody) {
  send("PUT", "/x", "1234");
  const HttpResponse response = send({.method = "HEAD", .url = server_.url("/x")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(*response.header("content-length"), "4");
  EXPECT_EQ(response.body, "");
}

TEST_F(HttpClientTest, ConnectionsAreKeptAlive) {
  for (int i = 0; i < 3; ++i) send("PUT", "/x", "1");
  const json asked = log();
  EXPECT_EQ(asked[0]["peer"], asked[2]["peer"]);
}

TEST_F(HttpClientTest, SeveralAreUnderWayAtOnce) {
  faults({{{"do", "late"}, {"path", "/slow"}, {"pause", 1}}});
  client().start(1, {.method = "PUT", .url = server_.url("/slow"), .body = body_of("1")});
  client().start(2, {.method = "PUT", .url = server_.url("/quick"), .body = body_of("2")});
  std::vector<HttpClient::Finished> finished;
  while (finished.size() < 2) {
    const Instant next = client().step(finished);
    const int fd = client().descriptor();
    if (finished.size() < 2) clock_->wait({&fd, 1}, next);
  }
  EXPECT_EQ(finished[0].id, 2u);
  EXPECT_EQ(finished[1].id, 1u);
  EXPECT_EQ(finished[1].response.status, 200) << finished[1].response.problem;
}

TEST_F(HttpClientTest, WhatIsRefusedBeforeItsBodyIsNotUploaded) {
  next({{"do", "early"}, {"status", 403}, {"body", "<Error/>"}});
  HttpRequest request{.method = "PUT", .url = server_.url("/x"), .body = body_of(large_body())};
  request.expect_continue = true;
  const HttpResponse response = send(std::move(request));
  EXPECT_EQ(response.status, 403) << response.problem;
  EXPECT_EQ(response.body, "<Error/>");
  EXPECT_LT(client().wire_bytes().sent, 4096u);
}

TEST_F(HttpClientTest, AResetBeforeTheBodyIsSentDidNotArrive) {
  next({{"do", "reset"}, {"after", 65536}});
  const HttpResponse response = send("PUT", "/x", large_body());
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.failure, HttpFailure::kReset) << response.problem;
  EXPECT_FALSE(response.maybe_arrived);
  EXPECT_THAT(response.problem, HasSubstr("http://127.0.0.1:" + server_.port()));
}

TEST_F(HttpClientTest, ALostAnswerMayHaveArrived) {
  next({{"do", "lost"}});
  const HttpResponse response = send("PUT", "/x", "1");
  EXPECT_EQ(response.failure, HttpFailure::kReset) << response.problem;
  EXPECT_TRUE(response.maybe_arrived);
}

TEST_F(HttpClientTest, AnEndlessAnswerIsCutOff) {
  next({{"do", "endless"}});
  const HttpResponse response = get("/x");
  EXPECT_EQ(response.failure, HttpFailure::kTooLong);
  EXPECT_EQ(response.status, 0);
  EXPECT_THAT(response.problem, HasSubstr("longer than 64 KiB"));
}

TEST_F(HttpClientTest, AnAnswerThatIsNoBodyIsCutOffToo) {
  options_.stall.window = 1s;  // it is looked at some times in that
  next({{"do", "extensions"}});
  const HttpResponse response = get("/x");
  EXPECT_EQ(response.failure, HttpFailure::kTooLong) << response.problem;
  EXPECT_THAT(response.problem, HasSubstr("longer than 64 KiB"));
}

// What earlier answers of a connection had does not count.
TEST_F(HttpClientTest, AConnectionMayCarryMoreThanOneAnswerMay) {
  options_.stall.window = 1s;
  send("PUT", "/x", std::string(60 << 10, 'x'));
  for (int i = 0; i < 12; ++i) EXPECT_EQ(get("/x").status, 200);
  next({{"do", "late"}, {"pause", 0.2}});
  const HttpResponse response = get("/x");
  EXPECT_EQ(response.status, 200) << response.problem;
}

// A filter's page: its status and its headers count.
TEST_F(HttpClientTest, OfALongRefusalTheBeginningIsTaken) {
  next({{"do", "status"},
        {"status", 413},
        {"headers", {{"Retry-After", "7"}}},
        {"body", std::string(100'000, 'x')}});
  const HttpResponse response = send("PUT", "/x", "1");
  EXPECT_EQ(response.status, 413) << response.problem;
  EXPECT_EQ(response.failure, HttpFailure::kNone);
  EXPECT_NE(response.header("retry-after"), nullptr);
  EXPECT_EQ(response.body.size(), 64u << 10);
}

TEST_F(HttpClientTest, WhatARefusalSaidCountsAlthoughItsConnectionBreaks) {
  for (const int status : {301, 403}) {
    next({{"do", "short"}, {"status", status}, {"reset", true}});
    const HttpResponse response = send("PUT", "/x", "1");
    EXPECT_EQ(response.status, status) << response.problem;
    EXPECT_EQ(response.body, "half");
  }
  next({{"do", "short"}, {"status", 200}, {"reset", true}});
  EXPECT_EQ(send("PUT", "/x", "1").status, 0);
}

TEST_F(HttpClientTest, AnAnswerCutShortIsNone) {
  next({{"do", "short"}});
  EXPECT_EQ(get("/x").failure, HttpFailure::kResponse);
}

TEST_F(HttpClientTest, GarbageIsNoAnswer) {
  next({{"do", "garbage"}});
  const HttpResponse response = get("/x");
  EXPECT_EQ(response.status, 0);
  EXPECT_THAT(response.failure, ::testing::AnyOf(HttpFailure::kResponse, HttpFailure::kReset));
}

TEST_F(HttpClientTest, NobodyListens) {
  const HttpResponse response = send({.method = "GET", .url = "http://127.0.0.1:1/secret?token=x"});
  EXPECT_EQ(response.failure, HttpFailure::kConnect);
  EXPECT_FALSE(response.maybe_arrived);
  EXPECT_THAT(response.problem, Not(HasSubstr("token"))) << "paths and queries are not shown";
}

TEST_F(HttpClientTest, AnUnknownHostIsATransientState) {
  const HttpResponse response = send({.method = "GET", .url = "http://nobody.invalid/"});
  EXPECT_EQ(response.failure, HttpFailure::kResolve) << response.problem;
}

TEST_F(HttpClientTest, ADrippingServerStalls) {
  options_.stall = {.window = 1s, .min_bytes = 1024, .answer = 1s};
  next({{"do", "drip"}, {"pause", 0.1}});
  const HttpResponse response = get("/x");
  EXPECT_EQ(response.failure, HttpFailure::kStalled) << response.problem;
}

TEST_F(HttpClientTest, ASilentServerHasItsTimeToAnswer) {
  options_.stall = {.window = 1s, .min_bytes = 1, .answer = 2s};
  next({{"do", "silent"}});
  const HttpResponse response = send("PUT", "/x", "1");
  EXPECT_EQ(response.failure, HttpFailure::kStalled) << response.problem;
  EXPECT_TRUE(response.maybe_arrived);
}

// S3 sends the head of its answer, and blanks, while it completes an upload.
TEST_F(HttpClientTest, AServerThatSendsBlanksHasItsTimeToo) {
  options_.stall = {.window = 1s, .min_bytes = 1024, .answer = 60s};
  next({{"do", "drip"}, {"pause", 0.3}, {"body", "       x"}});
  const HttpResponse response = send("POST", "/x", "1");
  EXPECT_EQ(response.status, 200) << response.problem;
  EXPECT_EQ(response.body, "       x");
}

TEST_F(HttpClientTest, ADeafServerStallsTheUpload) {
  options_.stall = {.window = 1s, .min_bytes = 1024, .answer = 60s};
  next({{"do", "deaf"}});
  const HttpResponse response = send("PUT", "/x", std::string(32 << 20, 'x'));
  EXPECT_EQ(response.failure, HttpFailure::kStalled) << response.problem;
  EXPECT_FALSE(response.maybe_arrived);
}

// Fails after `good` bytes.
class BrokenBody final : public RequestBody {
 public:
  std::uint64_t size() const override { return 1000; }
  Result<std::unique_ptr<ByteStream>> open() override { return std::make_unique<Stream>(); }

 private:
  struct Stream final : ByteStream {
    Result<std::size_t> read(char*, std::size_t) override {
      return fail(ErrorCode::kCorrupt, "block 7 is damaged");
    }
  };
};

TEST_F(HttpClientTest, ABodyThatCannotBeReadIsTold) {
  HttpRequest request{
      .method = "PUT", .url = server_.url("/x"), .body = std::make_shared<BrokenBody>()};
  const HttpResponse response = send(std::move(request));
  EXPECT_EQ(response.failure, HttpFailure::kBody);
  EXPECT_EQ(response.problem, "block 7 is damaged");
}

TEST_F(HttpClientTest, AStaleConnectionIsReplacedUnnoticed) {
  send("PUT", "/x", "1");
  next({{"do", "reset"}});  // the kept connection breaks before a byte of an answer
  const HttpResponse response = send("PUT", "/x", "2");
  EXPECT_EQ(response.status, 200) << response.problem;
}

// Sent over a kept connection, then once more over a fresh one: either may have arrived.
TEST_F(HttpClientTest, WhatWentOutWholeMayHaveArrivedAlthoughItsRepetitionDidNot) {
  ASSERT_EQ(get("/a").status, 404);  // its connection is kept
  faults({{{"do", "lost"}}, {{"do", "reset"}, {"after", 65536}}});
  const HttpResponse response = send("PUT", "/x", large_body());
  EXPECT_EQ(response.status, 0);
  EXPECT_TRUE(response.maybe_arrived);
  EXPECT_EQ(log().size(), 3u) << "it went twice";
}

TEST_F(HttpClientTest, WhatMakesSomethingNewGoesOnce) {
  ASSERT_EQ(get("/a").status, 404);  // its connection is kept
  std::size_t asked = 1;
  for (const char* const body : {"", "of some bytes"}) {
    next({{"do", "lost"}});
    const HttpResponse response =
        send({.method = "POST", .url = server_.url("/b"), .body = body_of(body), .once = true});
    EXPECT_EQ(response.status, 0);
    EXPECT_TRUE(response.maybe_arrived);
    EXPECT_EQ(response.failure, HttpFailure::kReset);
    EXPECT_EQ(log().size(), ++asked) << "not once more";
    ASSERT_EQ(get("/a").status, 404);
    ++asked;
  }
}

// Its time passes while a client waits for its rate, not while it waits for a server.
class RateClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override { return {}; }
  void wait(std::span<const int> descriptors, Instant deadline) override {
    const bool for_the_rate = deadline - now_ < 100ms;
    pollfd ready{descriptors[0], POLLIN, 0};
    if (::poll(&ready, 1, for_the_rate ? 5 : 1000) == 0 && for_the_rate)
      now_ = std::max(now_, deadline);
  }

 private:
  Instant now_{Duration(1)};
};

TEST_F(HttpClientTest, UploadsKeepToTheirRateAndUseIt) {
  RateClock clock;
  options_.config.max_upload_rate = 64 << 10;
  HttpClient client(options_, clock);
  const Instant before = clock.now();
  const HttpResponse response = exchange(
      client, clock,
      {.method = "PUT", .url = server_.url("/x"), .body = body_of(std::string(512 << 10, 'x'))});
  EXPECT_EQ(response.status, 200) << response.problem;
  // 8 s, within 5 %; a burst of 16 KiB goes at once.
  EXPECT_GE(clock.now() - before, 7'600ms - 250ms);
  EXPECT_LE(clock.now() - before, 8'400ms);
}

// Small objects are mostly headers: the link carries those too.
TEST_F(HttpClientTest, HeadersCountAgainstTheRate) {
  options_.budgets.push_back(std::make_shared<UploadBudget>(128 << 10));
  const Instant before = clock_->now();
  for (int i = 0; i < 24; ++i)
    send({.method = "PUT",
          .url = server_.url("/x"),
          .headers = {{"X-Long", std::string(8 << 10, 'x')}},
          .body = body_of("1")});
  const std::uint64_t sent = client().wire_bytes().sent;
  EXPECT_GT(sent, 24u * (8 << 10));
  // Less the burst of 32 KiB, and what the last one owes still.
  const double rate = 128 << 10;
  const std::chrono::duration<double> least((static_cast<double>(sent) - (42 << 10)) / rate);
  EXPECT_GE(clock_->now() - before, least);
}

TEST_F(HttpClientTest, WireBytesCountHeadersAndRetries) {
  send("PUT", "/x", std::string(10'000, 'x'));
  const WireBytes bytes = client().wire_bytes();
  EXPECT_GT(bytes.sent, 10'000u);
  EXPECT_LT(bytes.sent, 11'000u);
  EXPECT_GT(bytes.received, 50u);
}

TEST_F(HttpClientTest, AbandonedExchangesGiveNoAnswer) {
  next({{"do", "silent"}});
  client().start(1, {.method = "GET", .url = server_.url("/x")});
  std::vector<HttpClient::Finished> finished;
  client().step(finished);
  client().abandon();
  EXPECT_TRUE(client().idle());
  EXPECT_EQ(client().step(finished), kNever);
  EXPECT_TRUE(finished.empty());
}

}  // namespace
}  // namespace edgehose
