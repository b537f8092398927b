// Firehose's prefixes, java.time patterns, time zones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "sinks/object/prefix.h"
#include "tests/sinks/need_vectors.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

constexpr WallTime kExample{1'535'365'800'000'000'000};  // 2018-08-27T10:30:00Z, a Monday
const std::map<std::string, std::string> kLabels = {
    {"site", "north"}, {"line", "7"}, {"bad", "a/b"}, {"bell", "a\a"}, {"empty", ""}};

std::string render(std::string_view text, std::string_view zone = "UTC", WallTime time = kExample) {
  std::vector<std::string> warnings;
  const auto prefix = Prefix::compile(text, kLabels, zone, warnings);
  EXPECT_TRUE(prefix) << prefix.error().message;
  return prefix ? prefix->render({"gw/1", "app", time, 42}) : "";
}

std::string error_of(std::string_view text, std::string_view zone = "UTC") {
  std::vector<std::string> warnings;
  const auto prefix = Prefix::compile(text, kLabels, zone, warnings);
  EXPECT_FALSE(prefix) << text;
  return prefix ? "" : prefix.error().message;
}

std::string at(std::string_view pattern, std::int64_t seconds, std::string_view zone = "UTC") {
  std::vector<std::string> warnings;
  const auto compiled = DatePattern::compile(pattern, warnings);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return compiled->format(WallTime(seconds * 1'000'000'000 + 123'456'789), *TimeZone::load(zone));
}

TEST(Prefix, TheGuidesExamples) {
  EDGEHOSE_NEED_VECTORS();
  const auto all = nlohmann::json::parse(
      test::read_whole(EDGEHOSE_VECTORS_DIR "/firehose/prefix-examples.json"));
  int seen = 0;
  for (const auto& example : all["examples"]) {
    if (example.contains("invalid")) continue;  // about error prefixes, which are Firehose's
    const std::string text =
        example["Prefix"].is_null() ? "" : example["Prefix"].get<std::string>();
    if (example.contains("prefix")) {
      EXPECT_EQ(render(text), example["prefix"]);
      ++seen;
    }
    if (example.contains("prefix_regex")) {
      EXPECT_TRUE(
          std::regex_match(render(text), std::regex(example["prefix_regex"].get<std::string>())));
      ++seen;
    }
    if (example.contains("prefix_doc")) {
      EXPECT_EQ(render(text), "myFirehosePrefix/2018/08/27/10/");
      ++seen;
    }
  }
  EXPECT_EQ(seen, 4);
}

TEST(Prefix, OwnExpressions) {
  EXPECT_EQ(render("site=!{label:site}/!{timestamp:yyyy/MM/dd/HH}/"), "site=north/2018/08/27/10/");
  EXPECT_EQ(render("!{edgehose:agent}/!{edgehose:source}/!{timestamp:yyyy}/"), "gw_1/app/2018/");
  EXPECT_EQ(render("a/!{timestamp:yyyy}/b-"), "a/2018/b-");
}

TEST(Prefix, ARandomStringIsAFunctionOfTheBatch) {
  const std::string text = "!{firehose:random-string}/!{firehose:random-string}/!{timestamp:HH}/";
  const std::string once = render(text);
  EXPECT_EQ(render(text), once);
  EXPECT_TRUE(std::regex_match(once, std::regex("[0-9A-Za-z]{11}/[0-9A-Za-z]{11}/10/")));
  EXPECT_NE(once.substr(0, 11), once.substr(12, 11));
}

TEST(Prefix, ErrorsNameTheRightSpelling) {
  EXPECT_THAT(error_of("logs/%Y/%m/"), HasSubstr("!{timestamp:yyyy}"));
  EXPECT_THAT(error_of("!{timestamp:%Y}"), HasSubstr("write yyyy"));
  EXPECT_THAT(error_of("!{timestmp:yyyy}/"), HasSubstr("did you mean !{timestamp:yyyy}?"));
  EXPECT_THAT(error_of("!{label:sites}/"), HasSubstr("did you mean !{label:site}?"));
  EXPECT_THAT(error_of("!{edgehose:agnet}/"), HasSubstr("did you mean !{edgehose:agent}?"));
  EXPECT_THAT(error_of("!{firehose:random}/"), HasSubstr("firehose has no \"random\""));
  EXPECT_THAT(error_of("!{firehose:error-output-type}/"), HasSubstr("dead letters"));
  EXPECT_THAT(error_of("!{partitionKeyFromQuery:id}/"), HasSubstr("not supported"));
  EXPECT_THAT(error_of("!{timestamp:yyyy"), HasSubstr("not closed"));
  EXPECT_THAT(error_of("!{timestamp:}"), HasSubstr("says nothing"));
  EXPECT_THAT(error_of("!{timestamp:bb}"), HasSubstr("the letter b"));
  EXPECT_THAT(error_of("!{timestamp:yyyy'}"), HasSubstr("single quote"));
  EXPECT_THAT(error_of("!{label:bad}/"), HasSubstr("its value \"a/b\" holds a '/'"));
  EXPECT_THAT(error_of("!{label:bell}/"), HasSubstr("its value holds a control character"));
  EXPECT_THAT(error_of("${GATEWAY}/"), HasSubstr("write !{"));
}

TEST(Prefix, TellsEveryError) {
  EXPECT_EQ(error_of("%Y/%m/%Y/!{label:sites}/${X}/!{timestamp:yyyy"),
            "prefix: %Y is strftime's spelling: write !{timestamp:yyyy}; "
            "%m is strftime's spelling: write !{timestamp:MM}; "
            "!{label:sites}: no such label: did you mean !{label:site}?; "
            "${ begins no expression here: write !{; "
            "the expression !{timestamp:yyyy is not closed: its } is missing");
}

TEST(Prefix, WhatWouldMakeABadKeyIsRefused) {
  EXPECT_THAT(error_of("/logs/"), HasSubstr("begins with '/'"));
  EXPECT_THAT(error_of("a//b/"), HasSubstr("no name"));
  EXPECT_THAT(error_of("!{label:empty}/x/"), HasSubstr("begins with '/'"));
  EXPECT_THAT(error_of("a/../b/"), HasSubstr("\"..\""));
  EXPECT_THAT(error_of("../b/"), HasSubstr("\"..\""));
  EXPECT_THAT(error_of(std::string(600, 'a') + "/"), HasSubstr("512"));
}

TEST(Prefix, NamesAreMadeSafe) {
  std::vector<std::string> warnings;
  const auto prefix = Prefix::compile("x/!{edgehose:agent}/!{edgehose:source}/!{timestamp:yyyy}/",
                                      {}, "UTC", warnings);
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->render({"..", "", kExample, 0}), "x/__/2018/");
  EXPECT_LE(prefix->render({std::string(2000, 'n'), "s", kExample, 0}).size(), kMaxPrefixBytes);
}

TEST(Prefix, WeekYearAndDayOfYearWarn) {
  std::vector<std::string> warnings;
  ASSERT_TRUE(Prefix::compile("!{timestamp:YYYY/MM/DD}/", {}, "UTC", warnings));
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[0], HasSubstr("probably yyyy"));
  EXPECT_THAT(warnings[1], HasSubstr("probably dd"));
  warnings.clear();
  ASSERT_TRUE(Prefix::compile("!{timestamp:YYYY-'w'ww}/", {}, "UTC", warnings));
  EXPECT_TRUE(warnings.empty());
}

TEST(DatePattern, EveryLetter) {
  const std::int64_t t = kExample.value / 1'000'000'000;
  EXPECT_EQ(at("yyyy yy y uuuu", t), "2018 18 2018 2018");
  EXPECT_EQ(at("M MM MMM MMMM MMMMM", t), "8 08 Aug August A");
  EXPECT_EQ(at("d dd D DDD", t), "27 27 239 239");
  EXPECT_EQ(at("H HH h hh K k m mm s ss a", t + 4 * 3600), "14 14 2 02 2 14 30 30 0 00 PM");
  EXPECT_EQ(at("SSS SSSSSSSSS n", t), "123 123456789 123456789");
  EXPECT_EQ(at("E EEE EEEE e", t), "Mon Mon Monday 1");
  EXPECT_EQ(at("w ww Q QQ QQQ G", t), "35 35 3 03 Q3 AD");
  EXPECT_EQ(at("yyyy-MM-dd'T'HH:mm:ss''X", t), "2018-08-27T10:30:00'Z");
  EXPECT_EQ(
      at("X XX XXX x xx xxx Z ZZZZ ZZZZZ VV O z", t, "Asia/Kolkata"),
      "+0530 +0530 +05:30 +0530 +0530 +05:30 +0530 GMT+05:30 +05:30 Asia/Kolkata GMT+5:30 IST");
  EXPECT_EQ(at("x xx xxx Z ZZZZ O", t), "+00 +0000 +00:00 +0000 GMT GMT");
}

TEST(DatePattern, WeeksAroundNewYear) {
  EXPECT_EQ(at("YYYY-ww", 1'609'459'200), "2020-53");  // 2021-01-01
  EXPECT_EQ(at("YYYY-ww", 1'735'603'200), "2025-01");  // 2024-12-31
  EXPECT_EQ(at("uuuu-MM-dd", -1), "1969-12-31");
}

TEST(TimeZone, KnowsTheChangesInItsTableAndBeyond) {
  const auto berlin = TimeZone::load("Europe/Berlin");
  ASSERT_TRUE(berlin) << berlin.error().message;
  EXPECT_EQ(berlin->at(1'711'846'799).offset, 3600);  // 2024-03-31T00:59:59Z
  EXPECT_EQ(berlin->at(1'711'846'800).offset, 7200);
  EXPECT_EQ(berlin->at(1'729'990'799).offset, 7200);  // 2024-10-27T00:59:59Z
  EXPECT_EQ(berlin->at(1'729'990'800).offset, 3600);
  EXPECT_EQ(berlin->at(2'540'595'600).offset, 7200);  // in July 2050: by the rule
  EXPECT_EQ(berlin->at(2'524'608'000).offset, 3600);  // in January 2050
  const auto sydney = TimeZone::load("Australia/Sydney");
  EXPECT_EQ(sydney->at(2'524'608'000).offset, 11 * 3600);
  EXPECT_EQ(sydney->at(2'540'595'600).offset, 10 * 3600);
  EXPECT_EQ(sydney->at(2'540'595'600).abbreviation, "AEST");
}

TEST(TimeZone, AgreesWithTheSystem) {
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca"})
    for (std::int64_t t = 1'000'000'000; t < 4'000'000'000; t += 611'953'231) {
      const std::string expected =
          test::run("TZ=" + std::string(zone) + " date -d @" + std::to_string(t) + " '+%F %T %z'");
      EXPECT_EQ(at("yyyy-MM-dd HH:mm:ss xx", t, zone) + "\n", expected) << zone;
    }
}

TEST(TimeZone, AWrongNameOrADamagedFileIsAnError) {
  for (const char* wrong :
       {"", "Europe/Berln", "../../etc/passwd", "/etc/localtime", "zone.tab", "Europe"})
    EXPECT_FALSE(TimeZone::load(wrong)) << wrong;
  const std::string good = test::read_whole("/usr/share/zoneinfo/Europe/Berlin");
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good.substr(0, i % 2 ? good.size() : random() % good.size());
    if (!bad.empty())
      bad[random() % std::min<std::size_t>(bad.size(), 2500)] = static_cast<char>(random());
    if (const auto zone = TimeZone::parse("x", bad)) zone->at(2'540'595'600), zone->at(0);
  }
}

}  // namespace
}  // namespace edgehose
