// An EventsTransport over three records and a fault server, driven on the machine's clock.
#pragma once

#include <gmock/gmock.h>

#include "sinks/events/events_transport.h"
#include "tests/sinks/http/fault_server.h"
#include "tests/sinks/object/fake_store.h"

namespace edgehose {

using nlohmann::json;
using namespace std::chrono_literals;

class LineWriter final : public EventWriter {
 public:
  void append(const Record& record, std::string_view, std::string& out) override {
    out.append(record.body).push_back('\n');
  }
};

inline bool refuses_gzip_here(const HttpResponse& answer) { return answer.status == 415; }
inline bool fails_here(const HttpResponse& answer) { return answer.status == 503; }
inline std::string who(const HttpResponse& answer) { return answer.body; }

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
  PostResponse send(PostRequest request) {
    transport().start(RequestId{1}, std::move(request), nullptr);
    std::vector<Completion> finished;
    const Instant deadline = clock_->now() + 30s;
    while (finished.empty() && clock_->now() < deadline) {
      const Instant next = transport().step(clock_->now(), finished);
      if (finished.empty()) clock_->wait(transport().descriptors(), std::min(next, deadline));
    }
    EXPECT_EQ(finished.size(), 1u) << "no end of a request";
    return std::get<PostResponse>(std::move(finished.at(0).response));
  }
  PostRequest request() { return {"/_bulk?a=b", "text/x", {{"x-one", "1"}}, body()}; }
  PostResponse post() { return send(request()); }
  PostResponse post_anew(std::uint64_t seed) {
    options_.seed = seed;
    transport_.reset();
    return post();
  }

  static HttpResponse ask(const FaultServer& server, const std::string& method,
                          const std::string& path, const std::string& text) {
    const auto clock = make_system_clock();
    HttpClient client({}, *clock);
    return exchange(client, *clock,
                    {.method = method, .url = server.url(path), .body = body_of(text)});
  }
  static void faults_at(const FaultServer& server, const json& list) {
    ASSERT_EQ(ask(server, "POST", "/__faults", list.dump()).status, 200);
  }
  void faults(const json& list) { faults_at(server_, list); }
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

inline const std::string kLines = "one\ntwo\n" + std::string(100'000, 'x') + "\n";

}  // namespace edgehose
