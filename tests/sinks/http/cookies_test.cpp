#include "sinks/http/cookies.h"

#include <gtest/gtest.h>

#include "tests/sinks/http/fault_server.h"

namespace edgehose {
namespace {

using nlohmann::json;

class CookiesTest : public ::testing::Test {
 protected:
  // What the server was told with the request.
  std::string told(HttpClient& client, const std::string& host = "127.0.0.1") {
    exchange(client, *clock_,
             {.method = "GET", .url = "http://" + host + ":" + server_.port() + "/x"});
    const HttpResponse log =
        exchange(control_, *clock_,
                 {.method = "GET", .url = server_.url("/__log"), .response_limit = 1 << 20});
    return json::parse(log.body).back()["headers"].value("cookie", "");
  }
  void give(const std::string& cookie, int times = 1) {
    const json faults = {{{"do", "status"},
                          {"path", "/x"},
                          {"times", times},
                          {"headers", {{"Set-Cookie", cookie}}}}};
    exchange(control_, *clock_,
             {.method = "POST", .url = server_.url("/__faults"), .body = body_of(faults.dump())});
  }
  static HttpClientOptions with_cookies() {
    HttpClientOptions options;
    options.cookies = true;
    return options;
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  FaultServer server_;
  HttpClient control_{{}, *clock_};
};

TEST_F(CookiesTest, AreToldAgainToTheirHostByWhoKeepsThem) {
  HttpClient keeps(with_cookies(), *clock_), keeps_too(with_cookies(), *clock_), none({}, *clock_);
  give("node=b; Path=/", 2);
  EXPECT_EQ(told(keeps), "");
  told(none);
  EXPECT_EQ(told(keeps), "node=b");
  EXPECT_EQ(told(keeps), "node=b");
  EXPECT_EQ(told(none), "");
  EXPECT_EQ(told(keeps_too), "") << "each client has its own";
  EXPECT_EQ(told(keeps, "localhost"), "") << "another host's";
}

TEST_F(CookiesTest, TheLastOneOfANameCounts) {
  HttpClient client(with_cookies(), *clock_);
  give("node=a");
  told(client);
  give("node=b");
  told(client);
  EXPECT_EQ(told(client), "node=b");
}

TEST_F(CookiesTest, EverNewOnesAreForgotten) {
  HttpClient client(with_cookies(), *clock_);
  for (std::size_t i = 0; i <= Cookies::kMost; ++i) {
    give("n" + std::to_string(i) + "=1");
    told(client);
  }
  EXPECT_EQ(told(client), "");
}

}  // namespace
}  // namespace edgehose
