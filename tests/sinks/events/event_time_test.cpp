#include "sinks/events/event_time.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kAt = 1'763'861'040;  // 2025-11-23T01:24:00Z

std::int64_t nanos(std::string_view text) {
  const auto time = parse_event_time(text);
  return time ? time->value : -1;
}

TEST(EventTime, Rfc3339) {
  EXPECT_EQ(nanos(" 2025-11-23T03:24:00.25+02:00 "), kAt * kSecond + kSecond / 4);
  EXPECT_EQ(nanos("2025-11-23 01:24:00"), kAt * kSecond) << "UTC";
}

TEST(EventTime, SecondsMilliMicroAndNanosecondsByTheirSize) {
  EXPECT_EQ(event_time(std::int64_t{kAt}), WallTime(kAt * kSecond));
  EXPECT_EQ(event_time(std::int64_t{kAt * 1000 + 7}), WallTime(kAt * kSecond + 7'000'000));
  EXPECT_EQ(event_time(std::int64_t{kAt * 1'000'000 + 7}), WallTime(kAt * kSecond + 7'000));
  EXPECT_EQ(event_time(std::int64_t{kAt * kSecond + 7}), WallTime(kAt * kSecond + 7));
  EXPECT_EQ(event_time(double{1'763'861'040.5}), WallTime(kAt * kSecond + kSecond / 2));
  EXPECT_EQ(nanos("1763861040"), kAt * kSecond);
  EXPECT_EQ(nanos("1763861040250"), kAt * kSecond + kSecond / 4);
  EXPECT_EQ(nanos("1763861040.5"), kAt * kSecond + kSecond / 2);
}

TEST(EventTime, WhatIsNoTimeIsNone) {
  for (const char* text : {"", "now", "2025-11-23", "nan", "inf", "20000000000"})
    EXPECT_EQ(parse_event_time(text), std::nullopt) << text;
  EXPECT_EQ(event_time(std::int64_t{99'999'999'999}), std::nullopt) << "beyond 2262";
}

}  // namespace
}  // namespace edgehose
