#include "agent/pages/roff.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(Roff, CharactersMeanThemselves) {
  EXPECT_EQ(roff("--set a='b\\n' \"c\" `d` ~ ^"),
            "\\-\\-set a=\\(aqb\\(rsn\\(aq \\(dqc\\(dq \\(gad\\(ga \\(ti \\(ha");
}

TEST(Roff, MarksAreBold) {
  EXPECT_EQ(roff_marked("**string**: `a-b`, or c"), "\\fBstring\\fR: \\fBa\\-b\\fR, or c");
}

TEST(Roff, MarksWithoutTheirPairAreText) {
  EXPECT_EQ(roff_marked("/var/**/x"), "/var/**/x");
  EXPECT_EQ(roff_marked("a ` b"), "a \\(ga b");
  EXPECT_EQ(roff_marked("``"), "\\(ga\\(ga");
}

// Within `code` two stars are a glob.
TEST(Roff, TheFirstMarkDecides) {
  EXPECT_EQ(roff_marked("`**` crosses `/`"), "\\fB**\\fR crosses \\fB/\\fR");
}

TEST(Roff, NoLineIsTakenForARequest) {
  EXPECT_EQ(roff_paragraphs(".xz is not read"), ".PP\n\\&.xz is not read\n");
  EXPECT_EQ(roff_example(".profile"), ".RS 4\n.EX\n\\&.profile\n.EE\n.RE\n");
}

TEST(Roff, ParagraphsOfIndentedLinesKeepThem) {
  EXPECT_EQ(roff_paragraphs("One\ntwo.\n\nThe tools:\n  age -d"),
            ".PP\nOne\ntwo.\n.PP\n.EX\nThe tools:\n  age \\-d\n.EE\n");
}

}  // namespace
}  // namespace edgehose
