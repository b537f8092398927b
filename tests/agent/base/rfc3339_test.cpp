#include "agent/base/rfc3339.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kAt = 1'763'861'040;  // 2025-11-23T01:24:00Z

std::int64_t nanos(std::string_view text) {
  const auto time = parse_rfc3339(text, Offset::kNeeded);
  return time ? time->value : -1;
}

TEST(Rfc3339, EachOfItsForms) {
  EXPECT_EQ(nanos("2025-11-23T01:24:00Z"), kAt * kSecond);
  EXPECT_EQ(nanos("2025-11-23T01:24:00.123456789Z"), kAt * kSecond + 123'456'789);
  EXPECT_EQ(nanos("2025-11-23t01:24:00.5z"), kAt * kSecond + kSecond / 2);
  EXPECT_EQ(nanos("2025-11-23T03:24:00+02:00"), kAt * kSecond);
  EXPECT_EQ(nanos("2025-11-22T19:54:00-0530"), kAt * kSecond);
  EXPECT_EQ(nanos("2025-11-23 01:24:00,25Z"), kAt * kSecond + kSecond / 4);
  EXPECT_EQ(nanos("2025-11-23T01:24:00.1234567891234Z"), kAt * kSecond + 123'456'789);
  EXPECT_EQ(nanos("2025-11-23T01:23:60Z"), kAt * kSecond) << "a leap second";
  EXPECT_EQ(nanos("1969-12-31T23:59:59Z"), -kSecond);
}

TEST(Rfc3339, ATimeWithoutAnOffsetIsUtcWhereItMayBe) {
  EXPECT_EQ(parse_rfc3339("2025-11-23T01:24:00", Offset::kUtcWithout), WallTime(kAt * kSecond));
  EXPECT_EQ(parse_rfc3339("2025-11-23T01:24:00", Offset::kNeeded), std::nullopt);
}

TEST(Rfc3339, WhatIsNoTimeIsNone) {
  for (const char* text :
       {"", "now", "2025-11-23", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z",
        "2025-11-23T25:00:00Z", "2025-11-23T01:24:00.Z", "2025-11-23T01:24:00Zulu",
        "2025-11-23T01:24:00+1", "1066-10-14T00:00:00Z", "2262-01-01T00:00:00Z"})
    EXPECT_EQ(parse_rfc3339(text, Offset::kUtcWithout), std::nullopt) << text;
}

}  // namespace
}  // namespace edgehose
