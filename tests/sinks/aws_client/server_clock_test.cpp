#include "sinks/aws_client/server_clock.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000'000;
const WallTime kServer(784'111'777 * kSecond);  // Sun, 06 Nov 1994 08:49:37 GMT

HttpResponse answer(bool verified = true,
                    const std::string& date = "Sun, 06 Nov 1994 08:49:37 GMT") {
  HttpResponse response;
  response.status = 200;
  response.headers = {{"date", date}};
  response.verified = verified;
  return response;
}

TEST(ServerClock, FollowsAServerThatIsVerified) {
  ServerClock clock;
  const WallTime wrong(kServer.value - 3600 * kSecond);
  EXPECT_TRUE(clock.learn(verified_date(answer()), wrong));
  EXPECT_EQ(clock.at(wrong), kServer);
  EXPECT_FALSE(clock.learn(verified_date(answer()), wrong)) << "no news";
}

TEST(ServerClock, BelievesNobodyElse) {
  ServerClock clock;
  EXPECT_FALSE(clock.learn(verified_date(answer(false)), WallTime{}));
  EXPECT_FALSE(clock.learn(verified_date(answer(true, "yesterday")), WallTime{}));
  HttpResponse without = answer();
  without.headers.clear();
  EXPECT_FALSE(clock.learn(verified_date(without), WallTime{}));
  EXPECT_EQ(clock.offset(), Duration{});
}

TEST(ServerClock, TheWayOfAnAnswerIsNoOffset) {
  ServerClock clock;
  EXPECT_FALSE(clock.learn(verified_date(answer()), WallTime(kServer.value - 200 * kSecond)));
  EXPECT_EQ(clock.offset(), Duration{});
}

TEST(ServerClock, IsRightAgainWhenThisMachinesClockWasSet) {
  ServerClock clock;
  EXPECT_TRUE(clock.learn(verified_date(answer()), WallTime{}));
  EXPECT_TRUE(clock.learn(verified_date(answer()), WallTime(kServer.value + kSecond)));
  EXPECT_EQ(clock.offset(), Duration{});
}

}  // namespace
}  // namespace edgehose
