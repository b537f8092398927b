#include "sinks/elasticsearch/json_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::ElementsAre;
using Elements = std::vector<std::string>;

Elements elements(std::string_view json) {
  Elements found;
  const Status read = for_each_element(json, "items", [&](std::string_view element) -> Status {
    found.emplace_back(element);
    return {};
  });
  return read ? found : Elements{"error: " + read.error().message};
}
bool good(std::string_view json) {
  const Elements found = elements(json);
  return found.empty() || !found[0].starts_with("error: ");
}

TEST(JsonScanner, GivesElementsAsTheyStandThere) {
  EXPECT_THAT(elements(R"({"items":[{"a":1},{"b":[2,{"c":"]}"}]}]})"),
              ElementsAre(R"({"a":1})", R"({"b":[2,{"c":"]}"}]})"));
  EXPECT_THAT(elements(R"({"items":[1,"two",null, true ,-3.5e7]})"),
              ElementsAre("1", "\"two\"", "null", "true", "-3.5e7"));
  EXPECT_THAT(elements(R"({"items":[]})"), ElementsAre());
}

TEST(JsonScanner, InWhateverOrderMembersStand) {
  EXPECT_THAT(
      elements(" {\n \"took\" : 30 , \"errors\" : false,\r\n\t\"items\" : [ {} , {} ] } \n"),
      ElementsAre("{}", "{}"));
  EXPECT_THAT(elements(R"({"items":[{}],"x":{"items":[1]},"took":1})"), ElementsAre("{}"));
  EXPECT_THAT(elements(R"({"x":"\"items\":[1]","items":[2]})"), ElementsAre("2"));
}

TEST(JsonScanner, StringsMayHoldAnything) {
  EXPECT_THAT(elements(R"({"items":[{"a":"\\\"}]"},{"b":"\\"}]})"),
              ElementsAre(R"({"a":"\\\"}]"})", R"({"b":"\\"})"));
}

TEST(JsonScanner, WhatIsCutShortIsAnError) {
  const std::string whole = R"({"took":30,"items":[{"a":"x\"y"},{"b":2}],"z":[1]})";
  ASSERT_TRUE(good(whole));
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(good(whole.substr(0, length))) << length;
  EXPECT_FALSE(good(whole + "x"));
  EXPECT_FALSE(good(whole + whole));
}

TEST(JsonScanner, WhatIsNoSuchAnswerIsAnError) {
  for (const char* other :
       {"", "<html>", "[]", "{}", "{\"took\":1}", "{\"items\":{}}", "{\"items\":1}", "null",
        "{\"items\":[1 2]}", "{\"items\":[,]}", "{\"items\":[1],\"items\":[2]}", "{\"items\":[1]]",
        "{items:[1]}}", "{\"items\":[}]}"})
    EXPECT_FALSE(good(other)) << other;
}

TEST(JsonScanner, AnErrorOfWhoTakesEndsIt) {
  int taken = 0;
  const Status read = for_each_element("{\"items\":[1,2,3]}", "items", [&](std::string_view) {
    return ++taken == 2 ? Status(fail(ErrorCode::kFull, "enough")) : Status();
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "enough");
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace edgehose
