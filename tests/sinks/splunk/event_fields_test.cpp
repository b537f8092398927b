#include "sinks/splunk/event_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

class EventFieldsTest : public ::testing::Test {
 protected:
  EventFieldsTest() { record_.sequence = Sequence(4711); }
  std::string fields() {
    std::string out;
    EventFields(context_, Epoch{1, 2, 3}, "app").append(record_, out);
    return out;
  }
  EventContext context_{"gw-1", "edge-7", {}, {}};
  Record record_;
};

// `stream` is what the ids of documents begin with: it must never change.
TEST_F(EventFieldsTest, TellWhoSentWhich) {
  EXPECT_EQ(fields(), R"("fields":{"agent":"gw-1","stream":"ZxNdB_oMd0BetmIm","sequence":4711})");
}

TEST_F(EventFieldsTest, LabelsFieldsAndAttributesTheNearestWins) {
  context_.labels = {{"site", "north"}, {"unit", "u1"}, {"empty", ""}};
  context_.fields = {{"site", "south"}};
  EXPECT_THAT(fields(), HasSubstr(R"("site":"south","stream":"ZxNdB_oMd0BetmIm","unit":"u1",)"));
  record_.attributes = {{"unit", "u\"2"}, {"site", "east"}};
  EXPECT_EQ(fields(), R"("fields":{"agent":"gw-1","site":"east","stream":"ZxNdB_oMd0BetmIm",)"
                      R"("unit":"u\"2","sequence":4711})");
}

TEST_F(EventFieldsTest, Flags) {
  record_.truncated = record_.partial = true;
  EXPECT_THAT(fields(), HasSubstr(R"("sequence":4711,"truncated":"true","partial":"true"})"));
}

TEST_F(EventFieldsTest, NobodyTakesTheNamesOfOthers) {
  context_.labels = {{"agent", "x"}, {"_host", "y"}, {"sequence", "1"}};
  EXPECT_EQ(fields(), R"("fields":{"agent":"gw-1","label_agent":"x","label_host":"y",)"
                      R"("label_sequence":"1","stream":"ZxNdB_oMd0BetmIm","sequence":4711})");
}

TEST(EventFieldName, IsAsSplunkCleansThem) {
  EXPECT_EQ(event_field_name("site"), "site");
  EXPECT_EQ(event_field_name("a.b_C9"), "a.b_C9");
  EXPECT_EQ(event_field_name("__9cell-id/x"), "cell_id_x");
  EXPECT_EQ(event_field_name("\xC3\xBC"
                             "ber"),
            "ber");
  EXPECT_EQ(event_field_name("source"), "label_source");
  EXPECT_EQ(event_field_name("__"), "label_");
}

TEST(EventFieldName, OfTheConfigIsRight) {
  EXPECT_EQ(not_an_event_field("service.name"), "");
  for (const char* const name : {"", "_time", "9a", "a-b", "a b"})
    EXPECT_THAT(not_an_event_field(name), HasSubstr("no field's name")) << name;
  for (const char* const name : {"host", "index", "agent", "sequence"})
    EXPECT_THAT(not_an_event_field(name), HasSubstr("option of its own")) << name;
}

}  // namespace
}  // namespace edgehose
