#include "sinks/events/expressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

std::string parts_of(std::string_view text) {
  std::string parts;
  const Status read =
      each_expression(text, {[&](std::string_view part) { parts += "[" + std::string(part) + "]"; },
                             [&](std::string_view space, std::string_view value) -> Status {
                               parts += fmt::format("({}|{})", space, value);
                               return {};
                             }});
  return read ? parts : read.error().message;
}

TEST(Expressions, AreVisitedInTheirOrder) {
  EXPECT_EQ(parts_of(""), "");
  EXPECT_EQ(parts_of("plain! {x}"), "[plain! {x}]");
  EXPECT_EQ(parts_of("!{label:a}-!{timestamp:HH:mm}z"), "(label|a)[-](timestamp|HH:mm)[z]");
  EXPECT_EQ(parts_of("!{}!{x}"), "(|)(x|)");
  EXPECT_THAT(parts_of("a!{label:x"), HasSubstr("is not closed"));
}

TEST(Expressions, Labels) {
  EXPECT_EQ(label_of({{"site", "north"}}, "site"), "north");
  EXPECT_THAT(label_of({}, "site").error().message, HasSubstr("no label \"site\""));
}

TEST(Expressions, AnUnknownOneIsToldWithTheNearest) {
  constexpr std::string_view kSpaces[] = {"label", "field"};
  EXPECT_EQ(no_expression("labl", "x", "!{label:NAME}", kSpaces).value().message,
            "!{labl:x} is no expression: there are !{label:NAME}; did you mean label?");
}

}  // namespace
}  // namespace edgehose
