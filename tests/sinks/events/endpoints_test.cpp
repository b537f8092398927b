#include "sinks/events/endpoints.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{std::chrono::hours(1)};

class EndpointsTest : public ::testing::Test {
 protected:
  // How often each is chosen, of a thousand times.
  std::map<std::size_t, int> chosen(Instant now, Endpoints::Set without = 0) {
    std::map<std::size_t, int> counts;
    for (int i = 0; i < 1000; ++i) ++counts[hosts_.choose(now, random_(), without)];
    return counts;
  }
  Endpoints hosts_{{"https://a:9200", "https://b:9200/", "https://c:9200"}};
  std::mt19937_64 random_{7};
};

TEST_F(EndpointsTest, HealthyOnesShare) {
  const auto counts = chosen(kStart);
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [host, count] : counts) EXPECT_GT(count, 250) << host;
  EXPECT_EQ(hosts_.url(1), "https://b:9200");
}

TEST_F(EndpointsTest, OneThatFailedRestsTwiceAsLongEachTime) {
  Instant now = kStart;
  for (const Duration rest : {2s, 4s, 8s, 16s}) {
    hosts_.failed(0, now);
    EXPECT_FALSE(chosen(now + rest - 1ms).contains(0)) << rest.count();
    now += rest;
    EXPECT_TRUE(chosen(now).contains(0)) << rest.count();
  }
  for (int i = 0; i < 100; ++i) hosts_.failed(0, now);
  EXPECT_TRUE(chosen(now + Endpoints::kLongestRest).contains(0));
}

TEST_F(EndpointsTest, OneIsAlwaysAsked) {
  hosts_.failed(0, kStart);
  hosts_.failed(1, kStart + 500ms);
  hosts_.failed(2, kStart + 1s);
  EXPECT_FALSE(hosts_.any_healthy(kStart + 1s, 0));
  EXPECT_EQ(chosen(kStart + 1s), (std::map<std::size_t, int>{{0, 1000}}))
      << "whose rest ends first";
  EXPECT_EQ(chosen(kStart + 1s, 0b001), (std::map<std::size_t, int>{{1, 1000}}));
}

TEST_F(EndpointsTest, OneThatFailedLatelyIsAskedLessOften) {
  for (int i = 0; i < 4; ++i) hosts_.failed(0, kStart);
  const Instant later = kStart + Endpoints::kLongestRest;
  const int before = chosen(later)[0];
  EXPECT_LT(before, 200);
  EXPECT_GT(before, 20);
  for (int i = 0; i < 20; ++i) hosts_.answered(0);
  EXPECT_GT(chosen(later)[0], 250);
}

TEST_F(EndpointsTest, AnAnswerEndsTheRest) {
  hosts_.failed(0, kStart);
  hosts_.answered(0);
  EXPECT_TRUE(chosen(kStart).contains(0));
}

TEST_F(EndpointsTest, ThoseThatWereTriedAreNotAskedAgain) {
  EXPECT_EQ(chosen(kStart, 0b101), (std::map<std::size_t, int>{{1, 1000}}));
  EXPECT_TRUE(hosts_.any_healthy(kStart, 0b101));
  EXPECT_FALSE(hosts_.any_healthy(kStart, 0b111));
}

TEST(Endpoint, IsAnAddressWithoutCredentialsAndQuery) {
  for (const char* good : {"https://es1:9200", "http://127.0.0.1:9200", "https://[::1]:9200",
                           "https://search.example.com/search/"})
    EXPECT_EQ(not_an_endpoint(good), "") << good;
  for (const char* bad : {"es1:9200", "ftp://es1", "https://", "https://:9200", "https://u:p@es1",
                          "https://es1/?a=b", "https://es1/#x", "https://es 1"})
    EXPECT_NE(not_an_endpoint(bad), "") << bad;
}

TEST(Endpoint, InTheClearIsHttpToOthers) {
  EXPECT_TRUE(in_the_clear("http://es1:9200"));
  EXPECT_FALSE(in_the_clear("https://es1:9200"));
  EXPECT_FALSE(in_the_clear("http://127.0.0.1:9200"));
  EXPECT_FALSE(in_the_clear("http://localhost"));
}

}  // namespace
}  // namespace edgehose
