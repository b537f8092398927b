#include "agent/base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

TEST(Text, SizesInBothKindsOfUnits) {
  EXPECT_EQ(parse_size("8MiB"), 8ull << 20);
  EXPECT_EQ(parse_size("8 MB"), 8'000'000ull);
  EXPECT_EQ(parse_size("1.5KiB"), 1536ull);
  EXPECT_EQ(parse_size("4096"), 4096ull);
  for (const char* bad : {"", "MiB", "-1", "8 Mib", "1.3", "8MiBx", "99999999TiB", "0x10"})
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
}

TEST(Text, DurationsWithUnitsOnly) {
  EXPECT_EQ(parse_duration("5m"), Duration(5min));
  EXPECT_EQ(parse_duration("1h30m"), Duration(90min));
  EXPECT_EQ(parse_duration("250ms"), Duration(250ms));
  EXPECT_EQ(parse_duration("0.5s"), Duration(500ms));
  for (const char* bad : {"", "5", "5 minutes", "m", "-5m", "5mm", "99999999999d"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
}

TEST(Text, ForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(8 << 20), "8 MiB");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_duration(90min), "1 h 30 m");
  EXPECT_EQ(format_duration(5min), "5 m");
  EXPECT_EQ(format_duration(250ms), "250 ms");
  EXPECT_EQ(format_duration(0ms), "0 s");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

TEST(Text, WallTimes) {
  EXPECT_EQ(format_wall(WallTime(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_wall_ms(WallTime(1'700'000'000'123'456'789)), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(format_wall(WallTime(4'102'444'800'000'000'000)), "2100-01-01T00:00:00Z");
  EXPECT_EQ(format_wall_ms(WallTime(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(Text, Hex) {
  EXPECT_EQ(to_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(from_hex("00ff1A"), std::string("\x00\xff\x1a", 3));
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("zz"), std::nullopt);
}

TEST(Text, ANumberIsDigitsAlone) {
  EXPECT_EQ(parse_number("0"), 0u);
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  for (const char* none : {"", "-1", "+1", " 1", "1 ", "5x", "0x5", "18446744073709551616"})
    EXPECT_EQ(parse_number(none), std::nullopt) << none;
}

TEST(Text, TheNearestNameOnlyWhereItIsNear) {
  constexpr std::array<std::string_view, 3> kNames{"max_size", "max_age", "compression"};
  EXPECT_EQ(nearest("max_sise", kNames), "max_size");
  EXPECT_EQ(nearest("compresion", kNames), "compression");
  EXPECT_EQ(nearest("bucket", kNames), std::nullopt);
}

TEST(Text, AQuotedGlobIsOnlyItself) {
  EXPECT_EQ(quote_glob("/var/log/app"), "/var/log/app");
  EXPECT_EQ(quote_glob("/a*b?[c]\\d"), "/a\\*b\\?\\[c]\\\\d");
}

TEST(Text, CountsWithTheirNoun) {
  EXPECT_EQ(format_count(1, "record"), "1 record");
  EXPECT_EQ(format_count(0, "record"), "0 records");
  EXPECT_EQ(format_count(1234, "record"), "1,234 records");
  EXPECT_EQ(format_count(2, "batch", "batches"), "2 batches");
}

}  // namespace
}  // namespace edgehose
