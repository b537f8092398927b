#include "agent/commands/gateway_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string line(std::uint64_t n, LineOptions options = {}) {
  std::string text;
  append_line(options, n, text);
  return text;
}

TEST(GatewayLine, IsAFunctionOfItsNumberAndTheOptions) {
  EXPECT_EQ(line(7), line(7));
  EXPECT_NE(line(7), line(8));
  EXPECT_NE(line(7), line(7, {.seed = 2}));
}

TEST(GatewayLine, CarriesItsNumberOnceAndNeverALineFeed) {
  for (std::uint64_t n = 0; n < 5000; ++n) {
    const std::string text = line(n, {.run = "X", .bytes = Bytes::kAny});
    ASSERT_EQ(find_id("X", text), n) << text;
    ASSERT_THAT(text, Not(HasSubstr("\n")));
  }
  EXPECT_EQ(find_id("Y", line(1)), std::nullopt) << "of another run";
}

// One kind of each that has something to format: readings have two decimals.
TEST(GatewayLine, LooksLikeAGatewaysLog) {
  bool published = false;
  for (std::uint64_t n = 0; n < 100 && !published; ++n) {
    const std::string text = line(n);
    if (text.find("PUBLISH") == std::string::npos) continue;
    published = true;
    EXPECT_THAT(text, MatchesRegex("2026-11-23T00:00:00\\.[0-9]{3}Z gw-0042 mqtt\\[640\\]: "
                                   "id=RUN-[0-9]{10} PUBLISH topic=[a-z0-9/]+ qos=1 retain=0 "
                                   "payload=\\{\"v\":[0-9]+\\.[0-9]{2},\"q\":192,\"n\":[0-9]+\\}"));
  }
  EXPECT_TRUE(published);
}

TEST(GatewayLine, LongOnesHaveTheirLength) {
  const LineOptions options{.long_every = 10, .long_bytes = 5000};
  EXPECT_GE(line(9, options).size(), 5000u);
  EXPECT_LT(line(8, options).size(), 1000u);
}

}  // namespace
}  // namespace edgehose::gateway
