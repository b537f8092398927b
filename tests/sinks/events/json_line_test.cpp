#include "sinks/events/json_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::ElementsAre;

class JsonLineTest : public ::testing::Test {
 protected:
  std::vector<std::string> keys() {
    std::vector<std::string> all;
    line_.each_key([&](std::string_view key) { all.emplace_back(key); });
    return all;
  }
  JsonLine line_;
};

TEST_F(JsonLineTest, AnObjectIsPassedOnAsItIs) {
  ASSERT_TRUE(line_.read(R"( {"b" : 1.50, "a\u0062": [null , "\/"]}  )"
                         "\r"));
  EXPECT_EQ(line_.rest(), R"("b" : 1.50, "a\u0062": [null , "\/"]})");
  EXPECT_THAT(keys(), ElementsAre("b", "ab"));
  EXPECT_FALSE(line_.empty());
  ASSERT_TRUE(line_.read("{ }"));
  EXPECT_TRUE(line_.empty());
}

TEST_F(JsonLineTest, WhatIsNoObjectIsNone) {
  for (const char* other :
       {"", "text", "[1]", "\"x\"", "1", "{", "{\"a\":1", "{\"a\":1}{\"b\":2}", "{\"a\":1} x",
        "{'a':1}", "{\"a\":01}", "{\"a\":NaN}", "{\"a\":\"\\x\"}", "{\"a\":\"\t\"}", "{\"a\":1,}"})
    EXPECT_FALSE(line_.read(other)) << other;
}

TEST_F(JsonLineTest, BytesThatAreNoUtf8AreReplacedAndNothingElseIs) {
  ASSERT_TRUE(line_.read("{\"a\":\"x\xFFy\", \"\xC3\xA4\":\"\xE2\x82\"}"));
  EXPECT_EQ(line_.rest(), "\"a\":\"x\xEF\xBF\xBDy\", \"\xC3\xA4\":\"\xEF\xBF\xBD\"}");
}

TEST_F(JsonLineTest, FindsTheTime) {
  const WallTime second{1'763'861'040'000'000'000};
  ASSERT_TRUE(line_.read(R"({"ts":"2025-11-23T01:24:00Z","n":1763861040,"f":1763861040.0,
    "e":{"t":{"at":1763861040000}},"x.y":"1763861040","no":"x","none":null,"big":18446744073709551615})"));
  for (const char* field : {"ts", "n", "f", "e.t.at", "x.y"})
    EXPECT_EQ(line_.time(field), second) << field;
  for (const char* field : {"no", "none", "e", "e.t", "absent", "e.x", "ts.x", "big"})
    EXPECT_EQ(line_.time(field), std::nullopt) << field;
}

}  // namespace
}  // namespace edgehose
