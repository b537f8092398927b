#include "sinks/elasticsearch/index_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

constexpr WallTime kTime{1'456'405'200'000'000'000};  // 2016-02-25T13:00:00Z

std::string at(std::string_view text, WallTime time = kTime,
               IndexRotation rotation = IndexRotation::kNone) {
  std::vector<std::string> warnings;
  const auto name = IndexName::compile(text, rotation, {{"site", "north"}}, warnings);
  return name ? name->at(time) : "error: " + name.error().message;
}

TEST(IndexName, IsFilledFromTheRecordsTimeInUtc) {
  EXPECT_EQ(at("gateway"), "gateway");
  EXPECT_EQ(at("gateway-!{timestamp:yyyy.MM.dd}"), "gateway-2016.02.25");
  EXPECT_EQ(at("!{label:site}-!{timestamp:yyyy.MM}-logs"), "north-2016.02-logs");
  EXPECT_EQ(at("gateway-!{timestamp:yyyy.MM.dd}", WallTime(1'456'444'799'999'999'999)),
            "gateway-2016.02.25");
  EXPECT_EQ(at("gateway-!{timestamp:yyyy.MM.dd}", WallTime(1'456'444'800'000'000'000)),
            "gateway-2016.02.26");
}

// The names of Amazon Data Firehose's documentation, "IndexRotationPeriod".
TEST(IndexName, RotatesAsFirehoseDoes) {
  EXPECT_EQ(at("myindex", kTime, IndexRotation::kHour), "myindex-2016-02-25-13");
  EXPECT_EQ(at("myindex", kTime, IndexRotation::kDay), "myindex-2016-02-25");
  EXPECT_EQ(at("myindex", kTime, IndexRotation::kWeek), "myindex-2016-w08");
  EXPECT_EQ(at("myindex", kTime, IndexRotation::kMonth), "myindex-2016-02");
}

TEST(IndexName, OneWithoutTimesIsFixed) {
  std::vector<std::string> warnings;
  const auto fixed = [&](std::string_view text, IndexRotation rotation) {
    return IndexName::compile(text, rotation, {{"site", "north"}}, warnings)->fixed();
  };
  EXPECT_EQ(fixed("logs-!{label:site}", IndexRotation::kNone), "logs-north");
  EXPECT_EQ(fixed("logs-!{timestamp:yyyy}", IndexRotation::kNone), std::nullopt);
  EXPECT_EQ(fixed("logs", IndexRotation::kMonth), std::nullopt);
  EXPECT_TRUE(warnings.empty());
}

TEST(IndexName, SaysWhatIsWrongAndWhatToWrite) {
  EXPECT_THAT(at("Gateway"), HasSubstr("lower case"));
  EXPECT_THAT(at("_gateway"), HasSubstr("must not begin with \"_\""));
  EXPECT_THAT(at("gate way"), HasSubstr("must not hold ' '"));
  EXPECT_THAT(at("gate:way"), HasSubstr("must not hold ':'"));
  EXPECT_THAT(at(""), HasSubstr("must not be empty"));
  EXPECT_THAT(at(".."), HasSubstr("dot"));
  EXPECT_THAT(at(std::string(256, 'x')), HasSubstr("255"));
  EXPECT_THAT(at("g-!{timestamp:MMM}"), HasSubstr("lower case")) << "names of months";
  EXPECT_THAT(at("g-!{timestamp:%Y}"), HasSubstr("yyyy"));
  EXPECT_THAT(at("g-!{timestmp:yyyy}"), HasSubstr("did you mean timestamp?"));
  EXPECT_THAT(at("g-!{label:sight}"), HasSubstr("no label \"sight\""));
  EXPECT_THAT(at("g-!{timestamp:yyyy"), HasSubstr("not closed"));
}

TEST(IndexName, WarnsOfTheYearOfWeeks) {
  std::vector<std::string> warnings;
  EXPECT_TRUE(IndexName::compile("g-!{timestamp:YYYY}", IndexRotation::kNone, {}, warnings));
  EXPECT_EQ(warnings.size(), 1u);
}

}  // namespace
}  // namespace edgehose
