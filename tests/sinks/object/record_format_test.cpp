// ndjson, beside nlohmann-json as the reference.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sinks/object/record_format.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

std::string escaped(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(text, out);
  return out + "\"";
}

std::string time_text(std::int64_t nanoseconds) {
  std::string out;
  append_rfc3339(WallTime(nanoseconds), out);
  return out;
}

TEST(JsonEscape, AgreesWithTheReferenceOnRandomBytes) {
  std::mt19937 random(11);
  const std::string pieces[] = {"plain text",   "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                "\"",           "\\",       "\x7F",         std::string(1, '\0'),
                                "\xED\xA0\x80", "\xC0\xAF", "\xF5",         "\xE2\x82"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 12; n > 0; --n)
      if (random() % 2)
        text += pieces[random() % std::size(pieces)];
      else
        text.push_back(static_cast<char>(random()));
    // The reference's own replacement of invalid UTF-8, read back.
    using nlohmann::json;
    const std::string reference = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    ASSERT_EQ(json::parse(escaped(text)), json::parse(reference)) << reference;
  }
}

TEST(JsonEscape, ControlCharactersAreEscaped) {
  for (int c = 0; c < 0x20; ++c)
    for (const char o : escaped(std::string(9, static_cast<char>(c)))) EXPECT_GE(o, 0x20);
  EXPECT_EQ(escaped("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
}

TEST(Rfc3339, HasTheFewestDecimalsThatLoseNothing) {
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(time_text(1'763'861'040'123'456'789), "2025-11-23T01:24:00.123456789Z");
  EXPECT_EQ(time_text(1'763'861'040'120'000'000), "2025-11-23T01:24:00.120Z");
  EXPECT_EQ(time_text(1'763'861'040'000'001'000), "2025-11-23T01:24:00.000001Z");
  EXPECT_EQ(time_text(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(Ndjson, GoldenLine) {
  Record record;
  record.sequence = Sequence(7);
  record.time = WallTime(1'763'861'040'500'000'000);
  record.body = "he said \"hi\"\t\xff";
  record.file = FileId(3);
  record.begin = 1024;
  record.truncated = true;
  record.attributes = {{"unit", "a.service"}};
  std::string out;
  NdjsonWriter writer;
  writer.append(record, {"gw-1", "app", "/var/log/app.log"}, out);
  EXPECT_EQ(
      out,
      "{\"time\":\"2025-11-23T01:24:00.500Z\",\"agent\":\"gw-1\",\"source\":\"app\",\"sequence\":7,"
      "\"file\":\"/var/log/app.log\",\"offset\":1024,\"truncated\":true,"
      "\"attributes\":{\"unit\":\"a.service\"},\"message\":\"he said \\\"hi\\\"\\t\xEF\xBF\xBD\"}\n");
  out.clear();
  writer.append(Record{}, {"a", "s", ""}, out);
  EXPECT_EQ(out,
            "{\"time\":\"1970-01-01T00:00:00Z\",\"agent\":\"a\",\"source\":\"s\",\"sequence\":0,"
            "\"message\":\"\"}\n");
}

TEST(Ndjson, WhatNeighboursShareIsNotMistakenForTheNextOnes) {
  const auto line = [](NdjsonWriter& writer, int time, const RecordOrigin& origin) {
    Record record;
    record.time = WallTime(time);
    std::string out;
    writer.append(record, origin, out);
    return out;
  };
  NdjsonWriter shared;
  const RecordOrigin first{"a", "s", "/f"};
  for (const auto& [time, origin] : {std::pair{0, first},
                                     {0, first},
                                     {1, first},
                                     {1, RecordOrigin{"a", "s", "/g"}},
                                     {1, RecordOrigin{"a", "t", "/g"}},
                                     {1, RecordOrigin{"b", "t", "/g"}},
                                     {1, RecordOrigin{"b", "t", ""}}}) {
    NdjsonWriter fresh;
    EXPECT_EQ(line(shared, time, origin), line(fresh, time, origin));
  }
}

TEST(JsonEscape, AByteIsFoundWhereverItStands) {
  for (std::size_t length = 1; length < 50; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'x');
      text[at] = '"';
      std::string expected = text;
      expected.insert(at, "\\");
      std::string out;
      append_json_escaped(text, out);
      EXPECT_EQ(out, expected);
    }
  }
}

TEST(AppendUtf8, ReplacesWhatIsNoneAndNothingElse) {
  const auto of = [](std::string_view text) {
    std::string out = "<";
    append_utf8(text, out);
    return out;
  };
  EXPECT_EQ(of(""), "<");
  EXPECT_EQ(of("a\"\\\n\x7F\xC3\xA4"), "<a\"\\\n\x7F\xC3\xA4");
  EXPECT_EQ(of("a\xFF\xFE"
               "b"),
            "<a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(of("\xE2\x82"), "<\xEF\xBF\xBD");
  EXPECT_EQ(of("\xED\xA0\x80"), "<\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
}

}  // namespace
}  // namespace edgehose
