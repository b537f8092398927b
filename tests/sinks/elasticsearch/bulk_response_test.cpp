#include "sinks/elasticsearch/bulk_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "buffer/state.h"
#include "tests/sinks/need_vectors.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

std::vector<BulkItem> items(std::string_view answer) {
  std::vector<BulkItem> all;
  const Status read = read_bulk_items(answer, [&](BulkItem item) { all.push_back(item); });
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return all;
}

// "a 201", "b 409 version_conflict_engine_exception"
std::vector<std::string> told(std::string_view answer) {
  std::vector<std::string> all;
  for (const BulkItem& item : items(answer))
    all.push_back(fmt::format("{} {}{}", item.id.value_or("-"), item.status,
                              item.type.empty() ? "" : " " + item.type));
  return all;
}

std::string vector_file(const std::string& name) {
  return test::read_whole(EDGEHOSE_VECTORS_DIR "/elasticsearch/" + name);
}

TEST(BulkResponse, TheOfficialExamples) {
  EDGEHOSE_NEED_VECTORS();
  EXPECT_EQ(told(vector_file("bulk-response-example1.json")),
            (std::vector<std::string>{"1 201", "2 404", "3 201", "1 200"}));
  EXPECT_EQ(told(vector_file("bulk-response-example2.json")),
            (std::vector<std::string>{"5 404 document_missing_exception",
                                      "6 404 document_missing_exception", "7 201"}));
  EXPECT_EQ(told(vector_file("bulk-response-example3.json")),
            (std::vector<std::string>{"- 0 document_missing_exception",
                                      "- 0 document_missing_exception"}))
      << "filtered down to the errors: neither id nor status";
}

TEST(BulkResponse, MembersInWhateverOrder) {
  EXPECT_EQ(told(R"({"items":[{"create":{"error":{"reason":"r","type":"t"},"status":429,"_id":"a"}},
                              {"index":{"status":201,"x":{"_id":"b"},"_id":null}}],"errors":true})"),
            (std::vector<std::string>{"a 429 t", "- 201"}));
}

TEST(BulkResponse, WhereADocumentIs) {
  const auto all = items(R"({"items":[{"create":{"_index":"logs-000002","_id":"a","status":201}},
                                      {"create":{"_id":"b","status":201}}]})");
  EXPECT_EQ(all[0].index, "logs-000002");
  EXPECT_EQ(all[1].index, "");
}

TEST(BulkResponse, ReasonsAndTheirCauses) {
  const auto all = items(
      R"({"items":[{"create":{"_id":"d","status":400,"error":{"type":"document_parsing_exception",
      "reason":"[1:20] failed to parse","caused_by":{"type":"x","reason":"not\na number",
      "caused_by":{"reason":"deeper"}}}}},{"create":{"status":500,"error":"old words"}}]})");
  EXPECT_EQ(all[0].reason, "[1:20] failed to parse; not a number");
  EXPECT_EQ(all[1].reason, "old words");
}

TEST(BulkResponse, AReasonRepeatsNothingOfTheRecord) {
  const auto reason = [](const std::string& words, const std::string& cause) {
    return items(R"({"items":[{"create":{"status":400,"error":{"reason":")" + words +
                 R"(","caused_by":{"reason":")" + cause + R"("}}}}]})")[0]
        .reason;
  };
  EXPECT_EQ(reason("failed to parse field [n] of type [long] in document with id 'a'. Preview of "
                   "field's value: 'canary'",
                   "For input string: \\\"canary\\\""),
            "failed to parse field [n] of type [long] in document with id 'a'.");
  EXPECT_EQ(
      reason("immense term in field.  The prefix of the first immense term is: '[99, 97]...'", ""),
      "immense term in field. ");
}

TEST(BulkResponse, AReasonIsBoundedAndPrintable) {
  const std::string chinese = "\xE4\xB8\xAD";
  std::string words;
  for (int i = 0; i < 1000; ++i) words += chinese;
  const auto all = items(R"({"items":[{"create":{"status":400,"error":{"type":"t","reason":")" +
                         words + R"("}}}]})");
  EXPECT_LE(all[0].reason.size(), kMaxDeadLetterReason);
  EXPECT_GT(all[0].reason.size(), kMaxDeadLetterReason - 3);
  EXPECT_EQ(all[0].reason.size() % 3, 0u) << "no character is cut";
}

TEST(BulkResponse, WhatIsNoBulkAnswerIsAnError) {
  for (const char* other :
       {"", "<html>Log in</html>", "{}", R"({"items":[1]})", R"({"items":[{}]})",
        R"({"items":[{"create":1}]})", R"({"items":[{"create":{"status":201},"b":{}}]})",
        R"({"items":[{"create":{"status":201}])", R"({"items":[{"create":{"status":201 "a"}}]})",
        R"({"items":[{"create":{"status" 201}}]})"})
    EXPECT_FALSE(read_bulk_items(other, [](BulkItem) {})) << other;
}

TEST(BulkResponse, ALongOneIsReadInTime) {
  std::string answer = R"({"took":1,"errors":false,"items":[)";
  for (int i = 0; i < 100'000; ++i)
    answer += fmt::format("{}{{\"create\":{{\"_id\":\"{}\",\"status\":201}}}}", i ? "," : "", i);
  answer += "]}";
  std::uint64_t seen = 0;
  ASSERT_TRUE(read_bulk_items(answer, [&](BulkItem item) { seen += item.status == 201; }));
  EXPECT_EQ(seen, 100'000u);
}

}  // namespace
}  // namespace edgehose
