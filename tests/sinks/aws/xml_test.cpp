// XML of AWS's answers, and whatever else may come.
#include "sinks/aws/xml.h"

#include <gtest/gtest.h>

#include <random>

namespace edgehose::aws {
namespace {

using Event = XmlReader::Event;

// "<a>text</a>" as "+a text -a"; '!' where it is wrong.
std::string events_of(const std::string& document) {
  XmlReader reader(document);
  std::string out;
  for (;;) switch (reader.next()) {
      case Event::kOpen:
        (out += '+') += reader.name();
        out += ' ';
        break;
      case Event::kText: (out += reader.text()) += ' '; break;
      case Event::kClose:
        (out += '-') += reader.name();
        out += ' ';
        break;
      case Event::kEnd: return out;
      case Event::kWrong: return out + "!";
    }
}

TEST(Xml, TagsAndTexts) {
  EXPECT_EQ(events_of("<a><b>x</b> <c/></a>\n"), "+a +b x -b +c -c -a ");
  EXPECT_EQ(events_of("\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- <x> --><a>1</a>"), "+a 1 -a ");
  EXPECT_EQ(events_of("<n:a k='>' m=\"/>\">t</n:a>"), "+a t -a ");
}

TEST(Xml, EntitiesAndCdata) {
  EXPECT_EQ(events_of("<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x20AC;</a>"),
            "+a <&>\"'A\xE2\x82\xAC -a ");
  EXPECT_EQ(events_of("<a>x<![CDATA[<&>]]>y</a>"), "+a x<&>y -a ");
}

TEST(Xml, WhatIsWrongStaysWrong) {
  for (const char* bad : {"",
                          "text",
                          "<a>",
                          "<a></b>",
                          "</a>",
                          "<a/><b/>",
                          "<a/>x",
                          "<a>&bad;</a>",
                          "<a>&#0;</a>",
                          "<a>&#xD800;</a>",
                          "<a>&#x110000;</a>",
                          "<a>&lt</a>",
                          "<!DOCTYPE a><a/>",
                          "<a",
                          "<>",
                          "</>",
                          "<a><!-- ",
                          "<a><![CDATA[x</a>",
                          "<a b='></a>",
                          "<a/b></a/b>",
                          "<a//>",
                          "<//>"})
    EXPECT_TRUE(events_of(bad).ends_with('!')) << bad;
  XmlReader reader("<a></b>");
  reader.next();
  EXPECT_EQ(reader.next(), Event::kWrong);
  EXPECT_EQ(reader.next(), Event::kWrong);
}

TEST(Xml, DepthIsBounded) {
  std::string deep, closed;
  for (std::size_t i = 0; i < XmlReader::kMaxDepth; ++i) deep += "<a>", closed += "</a>";
  EXPECT_FALSE(events_of(deep + closed).ends_with('!'));
  EXPECT_TRUE(events_of(deep + "<a></a>" + closed).ends_with('!'));
}

TEST(Xml, TextAtAPath) {
  const std::string document = "<E><C>first</C><C>second</C><D><C>deep</C></D><F/></E>";
  EXPECT_EQ(xml_text(document, "E/C"), "first");
  EXPECT_EQ(xml_text(document, "E/D/C"), "deep");
  EXPECT_EQ(xml_text(document, "E/F"), "");
  EXPECT_EQ(xml_text(document, "E/G"), std::nullopt);
  EXPECT_EQ(xml_text("<html><p>Sign in</html>", "E/C"), std::nullopt);
}

// Every prefix and many mutations: reading ends, and never leaves the bytes (sanitizers see it).
TEST(Xml, AnythingIsReadToItsEnd) {
  const std::string good = "<?xml?><a b='c'><!--x--><d>&#x41;&amp;</d><![CDATA[y]]><e/></a>";
  std::mt19937 random(1);
  for (std::size_t size = 0; size <= good.size(); ++size) {
    EXPECT_LE(events_of(good.substr(0, size)).size(), 4 * good.size());
    for (int i = 0; i < 50; ++i) {
      std::string bad = good.substr(0, size);
      for (int j = 0; j < 3 && !bad.empty(); ++j)
        bad[random() % bad.size()] = "<>&;/!-[]'\"? a\0"[random() % 15];
      EXPECT_LE(events_of(bad).size(), 4 * good.size());
    }
  }
}

}  // namespace
}  // namespace edgehose::aws
