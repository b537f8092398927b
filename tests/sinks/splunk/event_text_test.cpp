#include "sinks/splunk/event_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

constexpr EventTextScope kAll{true, true};
const std::map<std::string, std::string> kLabels{{"site", "north"}};

std::string wrong(std::string_view text, EventTextScope scope = kAll) {
  const auto made = EventText::compile(text, kLabels, scope);
  return made ? "" : made.error().message;
}

TEST(EventText, IsFilledForEachRecord) {
  const auto text =
      EventText::compile("!{label:site}/!{attribute:unit}:!{field:app.name}!", kLabels, kAll);
  ASSERT_TRUE(text);
  EXPECT_FALSE(text->fixed());
  Record record;
  EXPECT_EQ(text->text(record, nullptr), "north/:!");
  record.attributes = {{"other", "x"}, {"unit", "u1"}};
  JsonLine line;
  ASSERT_TRUE(line.read(R"({"app":{"name":"plc"}})"));
  EXPECT_EQ(text->text(record, &line), "north/u1:plc!");
}

TEST(EventText, TakesTextsNumbersAndTruthsOfALine) {
  JsonLine line;
  ASSERT_TRUE(line.read(R"({"n":-7,"f":1.5,"t":true,"o":{},"a":[1],"z":null,"s":"\u00fc"})"));
  const auto of = [&](const std::string& name) {
    return EventText::compile("!{field:" + name + "}", kLabels, kAll)->text({}, &line);
  };
  EXPECT_EQ(of("n"), "-7");
  EXPECT_EQ(of("f"), "1.5");
  EXPECT_EQ(of("t"), "true");
  EXPECT_EQ(of("s"), "\xC3\xBC");
  for (const char* const none : {"o", "a", "z", "missing"}) EXPECT_EQ(of(none), "") << none;
}

TEST(EventText, OfLabelsAloneIsTheSameForAll) {
  const auto text = EventText::compile("gw-!{label:site}", kLabels, {false, false});
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->fixed());
  EXPECT_EQ(text->text({}, nullptr), "gw-north");
  EXPECT_TRUE(EventText().fixed());
  EXPECT_EQ(EventText().text({}, nullptr), "");
}

TEST(EventText, SaysWhatIsWrong) {
  EXPECT_THAT(wrong("!{label:seite}"), HasSubstr("no label \"seite\""));
  EXPECT_THAT(wrong("!{atribute:x}"), HasSubstr("did you mean attribute?"));
  EXPECT_THAT(wrong("!{field}"), HasSubstr("is no expression"));
  EXPECT_THAT(wrong("a!{field:x"), HasSubstr("is not closed"));
  EXPECT_THAT(wrong("!{field:x}", {true, false}), HasSubstr("format = \"json\""));
  EXPECT_THAT(wrong("!{attribute:x}", {false, false}), HasSubstr("format = \"raw\""));
}

}  // namespace
}  // namespace edgehose
