#include "agent/config/field.h"

#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace edgehose::config {
namespace {

using namespace std::chrono_literals;

template <class T>
std::string error_of(Value value) {
  T out{};
  Diagnostics problems;
  if (read_value(value, out, problems)) return "no error";
  return problems.errors.at(0).message;
}

Value text(std::string s) { return {std::move(s), {}, {}, false}; }
Value integer(std::int64_t i) { return {i, {}, {}, false}; }

TEST(FieldType, DurationsPrintAsTheyRead) {
  for (const Duration d : {Duration(0s), Duration(250ms), Duration(90s), Duration(24h * 7),
                           Duration(1h + 30min + 1us)}) {
    Duration read{1};
    Diagnostics problems;
    std::string printed = print_value(d);
    ASSERT_TRUE(read_value(text(printed.substr(1, printed.size() - 2)), read, problems)) << printed;
    EXPECT_EQ(read, d) << printed;
  }
  EXPECT_EQ(print_value(Duration(90min)), "\"1h30m\"");
}

TEST(FieldType, SizesPrintAsTheyRead) {
  EXPECT_EQ(print_size(8ull << 20), "\"8MiB\"");
  EXPECT_EQ(print_size(1000), "1000");
  EXPECT_EQ(print_size(0), "0");
  EXPECT_EQ(print_size(1536), "1536");
  EXPECT_EQ(parse_size("8MiB"), 8ull << 20);
}

TEST(FieldType, IntegersKeepToTheirType) {
  EXPECT_EQ(error_of<unsigned>(integer(-1)), "must be between 0 and 4294967295, got -1");
  EXPECT_EQ(error_of<std::uint8_t>(integer(256)), "must be between 0 and 255, got 256");
  EXPECT_EQ(error_of<std::int8_t>(integer(-129)), "must be between -128 and 127, got -129");
  EXPECT_EQ(error_of<std::uint64_t>(integer(std::numeric_limits<std::int64_t>::max())), "no error");
  EXPECT_EQ(error_of<int>(text("7")), "expected an integer, got the string \"7\"");
}

TEST(FieldType, ABadItemIsToldAtItsPlace) {
  Value list{List{text("a"), integer(2)}, {}, {}, false};
  list.as<List>()->at(1).origin = {Origin::Kind::kFile, "f", 3, 4};
  std::vector<std::string> out{"before"};
  Diagnostics problems;
  EXPECT_FALSE(read_value(list, out, problems));
  EXPECT_EQ(problems.errors.at(0).text(), "f:3:4: expected a string, got the integer 2");
  EXPECT_EQ(out, std::vector<std::string>{"before"}) << "unchanged after an error";
}

struct Inner {
  int low = 1;
  int high = 2;
};
struct Middle {
  std::string name;
  Inner inner;
};
struct Outer {
  Middle middle;
  bool flag = false;
};

Fields<Outer> outer_fields() {
  return {include<&Outer::middle>(
              {table_name<&Middle::name>(),
               table<&Middle::inner>(
                   "inner",
                   Fields<Inner>{field<&Inner::low>("low", "L."), field<&Inner::high>("high", "H.")}
                       .rule({"high", "low"},
                             [](const Inner& i) { return i.high < i.low ? "too low" : ""; }),
                   "I.")}),
          field<&Outer::flag>("flag", "F.")};
}

TEST(Fields, ReachThroughIncludesAndTables) {
  const auto fields = outer_fields();
  ASSERT_EQ(fields.fields.size(), 3u);
  Outer outer;
  Diagnostics problems;
  EXPECT_TRUE(fields.fields[0].read(text("n"), &outer, problems));
  const Field& inner = fields.fields[1];
  EXPECT_TRUE(inner.fields.at(0).read(integer(7), &outer, problems));
  EXPECT_EQ(outer.middle.name, "n");
  EXPECT_EQ(outer.middle.inner.low, 7);
  EXPECT_EQ(inner.fields[0].print(&outer), "7");
  EXPECT_EQ(inner.rules.at(0).wrong(&outer), "too low");
  outer.middle.inner.high = 8;
  EXPECT_EQ(inner.rules[0].wrong(&outer), "");
}

TEST(Value, TablesMergeAndEverythingElseReplaces) {
  Table base{{"t", {}, {Table{{"a", {}, integer(1)}, {"b", {}, integer(2)}}, {}, {}, false}},
             {"s", {}, integer(3)}};
  Table over{{"t", {}, {Table{{"b", {}, integer(4)}, {"c", {}, integer(5)}}, {}, {}, false}},
             {"s", {}, text("x")}};
  merge(base, std::move(over));
  const Table& merged = *find(base, "t")->value.as<Table>();
  EXPECT_EQ(*find(merged, "a")->value.as<std::int64_t>(), 1);
  EXPECT_EQ(*find(merged, "b")->value.as<std::int64_t>(), 4);
  EXPECT_EQ(*find(merged, "c")->value.as<std::int64_t>(), 5);
  EXPECT_EQ(*find(base, "s")->value.as<std::string>(), "x");
}

TEST(Value, AReferenceReplacesAReference) {
  const auto reference = [](const char* kind) {
    return Table{{"key", {}, {Table{{kind, {}, text("x")}}, {}, {}, false}}};
  };
  Table base = reference("file");
  merge(base, reference("env"));
  const Table& key = *find(base, "key")->value.as<Table>();
  EXPECT_EQ(key.size(), 1u);
  EXPECT_NE(find(key, "env"), nullptr);
}

TEST(Value, QuotedTextIsToml) {
  EXPECT_EQ(quote("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\n\\u0001\"");
  EXPECT_EQ(quote_key("a-b_1"), "a-b_1");
  EXPECT_EQ(quote_key("a.b"), "\"a.b\"");
  EXPECT_EQ(quote_key(""), "\"\"");
}

}  // namespace
}  // namespace edgehose::config
