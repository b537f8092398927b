#include "sinks/splunk/hec_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HecEventsTest : public ::testing::Test {
 protected:
  HecEventsTest() {
    options_.context = {"gw-1", "edge-7", {}, {}};
    options_.texts.host = text("edge-7");
    batch_.source = "app";
    record_.sequence = Sequence(7);
    record_.time = WallTime(1'763'861'040'123'999'999);
  }
  static EventText text(std::string_view of) {
    return *EventText::compile(of, {{"site", "north"}}, {true, true});
  }
  std::string of(std::string_view body) {
    record_.body = body;
    std::string out;
    EventObjects(std::make_shared<EventOptions>(options_), batch_).append(record_, "/a.log", out);
    return out;
  }
  std::string fields() {
    std::string out;
    EventFields(options_.context, batch_.epoch, "app").append(record_, out);
    return out;
  }
  EventOptions options_;
  Batch batch_;
  Record record_;
};

TEST_F(HecEventsTest, ALineIsAnEventsText) {
  EXPECT_EQ(of("a \"line\"\tof \xFFtext"),
            R"({"time":1763861040.123,"source":"/a.log","host":"edge-7","event":"a \"line\"\tof )"
            "\xEF\xBF\xBD"
            R"(text",)" +
                fields() + "}\n");
}

TEST_F(HecEventsTest, TimesHaveThreeDecimalsOrAreLeftOut) {
  record_.time = WallTime(5'004'000'000);
  EXPECT_THAT(of("x"), StartsWith(R"({"time":5.004,)"));
  record_.time = WallTime(0);
  EXPECT_THAT(of("x"), StartsWith(R"({"time":0.000,)"));
  record_.time = WallTime(-1);
  EXPECT_THAT(of("x"), StartsWith(R"({"source")"));
}

TEST_F(HecEventsTest, WhatTheConfigSays) {
  options_.texts.host = text("!{attribute:unit}");
  options_.texts.source = text("s-!{label:site}");
  options_.texts.sourcetype = text("syslog");
  options_.texts.index = text("edge");
  EXPECT_THAT(of("x"), HasSubstr(R"("sourcetype":"syslog","index":"edge")"));
  EXPECT_THAT(of("x"), HasSubstr(R"("source":"s-north")"));
  EXPECT_THAT(of("x"), Not(HasSubstr("host"))) << "it has no such attribute";
  record_.attributes = {{"unit", "u1"}};
  EXPECT_THAT(of("x"), HasSubstr(R"("host":"u1")"));
}

TEST_F(HecEventsTest, EachRecordHasItsOwnTimeAndFile) {
  EventObjects writer(std::make_shared<EventOptions>(options_), batch_);
  std::string out;
  record_.body = "x";
  for (const char* const file : {"/a.log", "/b.log"}) {
    record_.time = WallTime(record_.time.value + 1'000'000'000);
    out.clear();
    writer.append(record_, file, out);
  }
  EXPECT_THAT(out, StartsWith(R"({"time":1763861042.123,"source":"/b.log",)"));
}

TEST_F(HecEventsTest, WithoutAFileTheSourceIsTheSource) {
  std::string out;
  record_.body = "x";
  EventObjects(std::make_shared<EventOptions>(options_), batch_).append(record_, "", out);
  EXPECT_THAT(out, HasSubstr(R"("source":"app")"));
}

TEST_F(HecEventsTest, WhatIsBlankIsNoEvent) {
  for (const char* const blank : {"", " ", "\t\r"}) EXPECT_EQ(of(blank), "");
}

TEST_F(HecEventsTest, JsonIsTextWhereTheConfigDoesNotSayOtherwise) {
  EXPECT_THAT(of(R"({"a":1})"), HasSubstr(R"("event":"{\"a\":1}")"));
}

TEST_F(HecEventsTest, ALineThatIsJsonIsTheEvent) {
  options_.format = EventFormat::kJson;
  EXPECT_THAT(of(R"( {"a" : 1.50,"b":"\/"} )"), HasSubstr(R"("event":{"a" : 1.50,"b":"\/"},"f)"));
  EXPECT_THAT(of("{\"a\":1"), HasSubstr(R"("event":"{\"a\":1")"));
  EXPECT_THAT(of("[1]"), HasSubstr(R"("event":"[1]")"));
  EXPECT_THAT(of("{ }"), HasSubstr(R"("event":"{ }")")) << "an empty one would be refused";
}

TEST_F(HecEventsTest, ItsFieldsSayWhenAndWhereItGoes) {
  options_.format = EventFormat::kJson;
  options_.time_field = "ts";
  options_.texts.index = text("!{field:idx}");
  EXPECT_THAT(of(R"({"ts":1763861041500,"idx":"a"})"), StartsWith(R"({"time":1763861041.500,)"));
  EXPECT_THAT(of(R"({"ts":1763861041500,"idx":"a"})"), HasSubstr(R"("index":"a")"));
  EXPECT_THAT(of(R"({"ts":"soon"})"), StartsWith(R"({"time":1763861040.123,)"));
  EXPECT_THAT(of("plain"), Not(HasSubstr("index")));
}

TEST_F(HecEventsTest, RawLinesGoAsTheyAre) {
  std::string out;
  RawLines lines;
  for (const char* const body : {"a \xFF", " ", "", "{\"b\":1}"}) {
    record_.body = body;
    lines.append(record_, "/a.log", out);
  }
  EXPECT_EQ(out, "a \xFF\n{\"b\":1}\n");
}

TEST_F(HecEventsTest, WhatIsSaidOfRawLinesIsInTheQuery) {
  EXPECT_EQ(raw_query(options_, "a b&c"), "?host=edge-7&source=a%20b%26c");
  options_.texts.host = EventText();
  options_.texts.source = text("s");
  options_.texts.sourcetype = text("x/y");
  options_.texts.index = text("edge");
  EXPECT_EQ(raw_query(options_, "app"), "?source=s&sourcetype=x%2Fy&index=edge");
}

}  // namespace
}  // namespace edgehose
