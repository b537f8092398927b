#include "sinks/splunk/hec_codes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sinks/splunk/hec_verdict.h"
#include "tests/sinks/need_vectors.h"
#include "tests/sinks/splunk/support.h"

namespace edgehose {
namespace {

// The fields of a line of CSV; quotes only around whole ones.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  }
  return fields;
}

std::vector<std::vector<std::string>> rows_of(const std::string& file) {
  std::ifstream in(std::string(EDGEHOSE_VECTORS_DIR "/splunk/") + file);
  EXPECT_TRUE(in) << file;
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(in, line);  // the names of the columns
  while (std::getline(in, line))
    if (!line.empty()) rows.push_back(fields_of(line));
  return rows;
}

// Of an answer to five events that names the third.
std::string verdict_of(int status, int code, bool ack = false) {
  PostResponse response;
  response.sent = {range(1, 5)};
  response.answer = hec_response(status, code, ",\"invalid-event-number\":2,\"ackId\":0");
  const Verdict verdict = judge_hec({.ack = ack}, response);
  if (const auto* done = std::get_if<Delivered>(&verdict))
    return done->pause > Duration::zero() ? "delivered, slow" : "delivered";
  if (const auto* taken = std::get_if<Poll>(&verdict))
    return taken->pause > Duration::zero() ? "taken, slow" : "taken";
  if (const auto* retry = std::get_if<Retry>(&verdict))
    return retry->maybe_arrived ? "unclear" : "retry";
  if (std::holds_alternative<Partly>(verdict)) return "split";
  return std::holds_alternative<Park>(verdict) ? "park" : "other";
}

TEST(HecCodes, WhatTheTableSaysOfEachIsDone) {
  EDGEHOSE_NEED_VECTORS();
  // By class, and what is suggested.
  const std::map<std::string, std::set<std::string>> right{
      {"success no", {"delivered"}},
      {"success-slow-down no", {"delivered, slow"}},
      {"config hold", {"park"}},
      {"config hold-or-dead-letter", {"park"}},  // one index for all; see hec_verdict_test.cpp
      {"config disable-ack", {"park"}},          // says to set ack = false
      {"client-bug no", {"park"}},
      {"bad-event split", {"split"}},
      {"server yes", {"retry", "unclear"}},
      {"health yes", {"retry"}},
      {"health no", {"unclear"}},  // "healthy" is no answer to events
  };
  const auto rows = rows_of("hec_codes_0-27.csv");
  ASSERT_EQ(rows.size(), 28u);
  for (const auto& row : rows) {
    const int code = std::stoi(row[0]), status = std::stoi(row[1]);
    const std::string verdict = verdict_of(status, code);
    EXPECT_TRUE(right.at(row[3] + " " + row[4]).contains(verdict)) << row[0] << ": " << verdict;
    ASSERT_NE(hec_rule(code), nullptr) << code;
  }
}

TEST(HecCodes, AnotherCollectionHasThemToo) {
  EDGEHOSE_NEED_VECTORS();
  const auto rows = rows_of("hec_reply_code_lookup_0-22.csv");
  ASSERT_EQ(rows.size(), 23u);
  for (const auto& row : rows) {
    const int code = std::stoi(row[0]), status = std::stoi(row[1]);
    ASSERT_NE(hec_rule(code), nullptr) << code;
    EXPECT_NE(verdict_of(status, code), "other") << code;
    if (status != 503) continue;
    EXPECT_EQ(verdict_of(status, code), "retry") << code;
  }
}

// All of them, also where the tables are not.
TEST(HecCodes, InWords) {
  struct Row {
    int status;
    std::vector<int> codes;
    std::string verdict;
  };
  const std::vector<Row> rows{
      {200, {0}, "delivered"},
      {200, {24, 25}, "delivered, slow"},
      {200, {17}, "unclear"},
      {400, {6, 12, 13, 15}, "split"},
      {400, {5, 7, 10, 11, 14, 16, 21, 22}, "park"},
      {401, {2, 3}, "park"},
      {403, {1, 4}, "park"},
      {429, {26, 27}, "retry"},
      {500, {8}, "unclear"},
      {503, {9, 18, 19, 20, 23}, "retry"},
  };
  std::set<int> told;
  for (const auto& [status, codes, verdict] : rows) {
    for (const int code : codes) EXPECT_EQ(verdict_of(status, code), verdict) << code;
    told.insert(codes.begin(), codes.end());
  }
  EXPECT_EQ(told.size(), 28u);
  EXPECT_EQ(verdict_of(200, 0, true), "taken");
  EXPECT_EQ(verdict_of(200, 24, true), "taken, slow");
  EXPECT_EQ(verdict_of(200, 25, true), "taken, slow");
  for (int code = 0; code <= 27; ++code) EXPECT_NE(hec_rule(code)->words, "") << code;
  EXPECT_EQ(hec_rule(28), nullptr);
  EXPECT_EQ(hec_rule(-1), nullptr);
}

TEST(HecCodes, ACodeCountsMoreThanItsStatusButForSuccess) {
  EXPECT_EQ(verdict_of(200, 9), "retry");
  EXPECT_EQ(verdict_of(503, 4), "park");
  EXPECT_EQ(verdict_of(503, 0), "retry");
  EXPECT_EQ(verdict_of(400, 0), "park");
  EXPECT_EQ(verdict_of(404, 404), "park");
  EXPECT_EQ(verdict_of(503, 99), "retry");
}

}  // namespace
}  // namespace edgehose
