#include "sinks/http/retry_after.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

HttpResponse with(std::vector<HttpHeader> headers) {
  HttpResponse response;
  response.headers = std::move(headers);
  return response;
}

TEST(HttpDate, IsReadInItsOneForm) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), WallTime(784'111'777'000'000'000));
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), WallTime(0));
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:60 GMT"), WallTime(1'709'251'200'000'000'000));
}

TEST(HttpDate, WhatIsNoneIsNone) {
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                           "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08-49:37 GMT",
                           "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 31 Dec 1969 23:59:59 GMT"})
    EXPECT_FALSE(parse_http_date(text)) << text;
}

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(retry_after(with({{"retry-after", "7"}})), 7s);
  EXPECT_EQ(retry_after(with({{"retry-after", "0"}})), 0s);
}

TEST(RetryAfter, ADateCountsFromTheServersOwnClock) {
  EXPECT_EQ(retry_after(with({{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                              {"retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"}})),
            30s);
  EXPECT_EQ(retry_after(with({{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                              {"retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"}})),
            0s);
}

TEST(RetryAfter, WhatCannotBeReadIsNoWish) {
  EXPECT_FALSE(retry_after(with({})));
  EXPECT_FALSE(retry_after(with({{"retry-after", "-5"}})));
  EXPECT_FALSE(retry_after(with({{"retry-after", "soon"}})));
  EXPECT_FALSE(retry_after(with({{"retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"}})))
      << "without a Date there is nothing to count from";
  EXPECT_FALSE(retry_after(with({{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                 {"retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"}})));
}

TEST(RetryAfter, IsBounded) {
  for (const char* seconds : {"99999999", "2147483648", "99999999999999999999999"})
    EXPECT_EQ(retry_after(with({{"retry-after", seconds}})), 7 * 24h) << seconds;
}

}  // namespace
}  // namespace edgehose
