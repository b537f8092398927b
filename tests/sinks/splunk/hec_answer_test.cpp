#include "sinks/splunk/hec_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sinks/splunk/support.h"

namespace edgehose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(HecAnswer, IsReadInWhateverOrder) {
  const HecAnswer hec = read_hec_answer(hec_response(
      400, R"({"invalid-event-number":3,"code":6,"ackId":12,"text":"Invalid data format"})"));
  EXPECT_EQ(hec.code, 6);
  EXPECT_EQ(hec.invalid_event, 3u);
  EXPECT_EQ(hec.ack_id, 12u);
  EXPECT_EQ(hec.text, "Invalid data format");
}

TEST(HecAnswer, WhatIsNoneHasNoCode) {
  for (const char* const body :
       {"", "<html>Welcome</html>", "[]", "0", "{}", R"({"code":"0"})", R"({"code":-1})",
        R"({"code":0.5})", R"({"code":123456789012})", R"({"code":0)"})
    EXPECT_EQ(read_hec_answer(hec_response(200, body)).code, std::nullopt) << body;
  EXPECT_EQ(read_hec_answer(hec_response(200, R"({"code":0,"ackId":"7"})")).ack_id, std::nullopt);
}

TEST(HecAnswer, Acks) {
  const auto acks = read_acks(hec_response(200, R"({"acks":{"7":true,"12":false}})"));
  ASSERT_TRUE(acks);
  EXPECT_THAT(*acks, ElementsAre(Pair(7, true), Pair(12, false)));
  EXPECT_TRUE(read_acks(hec_response(200, R"({"acks":{}})")));
  for (const char* const body : {"", "<html>", R"({"code":0})", R"({"acks":[7]})",
                                 R"({"acks":{"7":1}})", R"({"acks":{"x":true}})"})
    EXPECT_FALSE(read_acks(hec_response(200, body))) << body;
  EXPECT_FALSE(read_acks(hec_response(503, R"({"acks":{"7":true}})")));
}

TEST(HecAnswer, WordsForPeople) {
  const HttpResponse answer = hec_response(400, 6, ",\"invalid-event-number\":3");
  EXPECT_EQ(words_of(answer, read_hec_answer(answer), "do this"),
            "the server answers 400, code 6 (no valid event), of event 3; do this");
  EXPECT_EQ(server_words_of(answer, read_hec_answer(answer), "do this"),
            "the server answers 400, code 6 (words), of event 3; do this");
  const HttpResponse unknown = hec_response(400, 99);
  EXPECT_EQ(words_of(unknown, read_hec_answer(unknown), ""), "the server answers 400, code 99");
  const HttpResponse portal = hec_response(403, "<html>");
  EXPECT_THAT(words_of(portal, read_hec_answer(portal), ""), HasSubstr("not in a Splunk's words"));
  const HttpResponse evil =
      hec_response(400, R"({"code":6,"text":"a\n\u001b[1m)" + std::string(1000, 'x') + "\"}");
  const std::string words = server_words_of(evil, read_hec_answer(evil), "");
  EXPECT_LT(words.size(), 300u);
  EXPECT_THAT(words, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace edgehose
