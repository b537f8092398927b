#include "sinks/splunk/acknowledgements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sinks/splunk/support.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class AcknowledgementsTest : public ::testing::Test {
 protected:
  AcknowledgementsTest() { batch_.receipt = Receipt{"https://a:8088", "c-1", 7}.text(); }
  Verdict judged(HttpResponse answer) {
    PostResponse response;
    response.answer = std::move(answer);
    return judge_acks(options_, batch_, response);
  }
  template <class V>
  bool is(HttpResponse answer) {
    return std::holds_alternative<V>(judged(std::move(answer)));
  }
  std::string failure(HttpResponse answer) { return std::get<Poll>(judged(answer)).failure; }
  static HttpResponse acks(const std::string& told) {
    return hec_response(200, R"({"acks":{)" + told + "}}");
  }
  Batch batch_;
  AckOptions options_{false, 5min, 10s};
};

TEST_F(AcknowledgementsTest, AReceiptSaysWhomToAskForWhat) {
  const Receipt read = Receipt::read(batch_.receipt);
  EXPECT_EQ(read.endpoint, "https://a:8088");
  EXPECT_EQ(read.channel, "c-1");
  EXPECT_EQ(read.id, 7u);
  EXPECT_EQ(read.group(), (Receipt{"https://a:8088", "c-1", 8}.group()));
  EXPECT_NE(read.group(), (Receipt{"https://a:8088", "c-2", 7}.group()));
  EXPECT_NE(read.group(), (Receipt{"https://b:8088", "c-1", 7}.group()));
}

TEST_F(AcknowledgementsTest, OneQuestionIsForAllOfAGroup) {
  Batch other, same = batch_;
  other.receipt = Receipt{"https://a:8088", "c-1", 12}.text();
  const Batch* const batches[] = {&other, &batch_, &same};
  const PostRequest request = ask_for_acks(batches);
  EXPECT_EQ(request.target, "/services/collector/ack");
  EXPECT_EQ(request.text, R"({"acks":[7,12]})");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.endpoint, "https://a:8088");
  EXPECT_EQ(request.channel, "c-1");
}

TEST_F(AcknowledgementsTest, OnlyTrueIsADelivery) {
  EXPECT_TRUE(is<Delivered>(acks(R"("6":false,"7":true)")));
  for (const char* const told : {R"("7":false)", R"("6":true)", ""}) {
    const Verdict verdict = judged(acks(told));
    const auto& poll = std::get<Poll>(verdict);
    EXPECT_EQ(poll.receipt, batch_.receipt);
    EXPECT_EQ(poll.group, Receipt::read(batch_.receipt).group());
    EXPECT_EQ(poll.after, 2s);
    EXPECT_EQ(poll.failure, "");
  }
}

TEST_F(AcknowledgementsTest, TheFirstQuestionsComeSooner) {
  EXPECT_EQ(next_question(0s, 10s, 0), 2s);
  EXPECT_EQ(next_question(5s, 10s, 0), 5s);
  EXPECT_EQ(next_question(1min, 10s, 0), 10s);
  EXPECT_EQ(next_question(0s, 1s, 0), 1s);
}

TEST_F(AcknowledgementsTest, WhatCameBackIsAskedAfterEverLessOften) {
  EXPECT_EQ(next_question(0s, 10s, 1), 10s);
  EXPECT_EQ(next_question(80s, 10s, 1), 10s);
  EXPECT_EQ(next_question(40min, 10s, 4), 5min);
  int questions = 0;
  for (Duration waited{}; waited < 1h; ++questions) waited += next_question(waited, 10s, 4);
  EXPECT_LT(questions, 50) << "in an hour of patience; every 10 s are 360";
  batch_.spent_receipts = 3;
  batch_.held_back = 24min;
  EXPECT_EQ(std::get<Poll>(judged(acks(""))).after, 3min);
  batch_.held_back = 39min;
  EXPECT_EQ(std::get<Poll>(judged(acks(""))).after, 1min) << "its patience ends";
}

TEST_F(AcknowledgementsTest, AnIdThatTwoBatchesHaveSaysNothing) {
  batch_.ambiguous = true;
  EXPECT_TRUE(is<Poll>(acks(R"("7":true)")));
  batch_.held_back = 5min;
  EXPECT_TRUE(is<Retry>(acks(R"("7":true)")));
}

TEST_F(AcknowledgementsTest, WhatWasTakenWithoutAnIdIsNeverAcknowledged) {
  batch_.receipt = Receipt{"https://a:8088", "c-1", kNoAckId}.text();
  const std::string told = fmt::format(R"("{}":true)", kNoAckId);
  EXPECT_TRUE(is<Poll>(acks(told)));
  batch_.held_back = 5min;
  EXPECT_TRUE(is<Retry>(acks(told)));
}

TEST_F(AcknowledgementsTest, WhatIsNotAcknowledgedInTimeGoesAgain) {
  batch_.held_back = 5min - 1s;
  EXPECT_TRUE(is<Poll>(acks(R"("7":false)")));
  batch_.held_back = 5min;
  EXPECT_TRUE(std::get<Retry>(judged(acks(R"("7":false)"))).maybe_arrived);
  batch_.spent_receipts = 1;
  EXPECT_TRUE(is<Poll>(acks(R"("7":false)"))) << "twice as long";
  batch_.held_back = 10min;
  EXPECT_TRUE(is<Retry>(acks(R"("7":false)")));
}

TEST_F(AcknowledgementsTest, PatienceGrowsToAnHour) {
  EXPECT_EQ(ack_patience(5min, 0), 5min);
  EXPECT_EQ(ack_patience(5min, 1), 10min);
  EXPECT_EQ(ack_patience(5min, 3), 40min);
  EXPECT_EQ(ack_patience(5min, 4), 1h);
  EXPECT_EQ(ack_patience(1h, 4'000'000'000u), 1h);
}

TEST_F(AcknowledgementsTest, WhereItCannotBeAskedTheReceiptIsKept) {
  HttpResponse none;
  none.problem = "timed out";
  EXPECT_THAT(failure(none), HasSubstr("timed out"));
  for (const auto& [status, code] : {std::pair(503, 9), {503, 23}, {429, 27}, {500, 8}, {400, 6}})
    EXPECT_THAT(failure(hec_response(status, code)), HasSubstr(std::to_string(code)));
  EXPECT_NE(failure(hec_response(502, "<html>")), "");
  EXPECT_NE(failure(hec_response(200, "<html>Log in</html>")), "");
  batch_.held_back = 9min;
  EXPECT_TRUE(is<Poll>(none)) << "it may be known there still";
  batch_.held_back = 10min;
  EXPECT_TRUE(is<Retry>(none)) << "another host may be well";
}

TEST_F(AcknowledgementsTest, AChannelThatIsNotKnownIsGoneAtOnceButOnlyOnce) {
  EXPECT_TRUE(is<Retry>(hec_response(400, 11)));
  EXPECT_TRUE(is<Retry>(hec_response(400, 10)));
  batch_.spent_receipts = 1;
  EXPECT_NE(failure(hec_response(400, 11)), "");
}

// Its successor, a balancer's default page, a proxy: the receipts would be kept without end.
TEST_F(AcknowledgementsTest, AHostThatIsNoCollectorAnyMoreIsWaitedForNoLonger) {
  for (const int status : {401, 403, 404, 405, 501}) {
    batch_.held_back = 9min;
    EXPECT_THAT(failure(hec_response(status, "<html>")), HasSubstr(std::to_string(status)));
    EXPECT_THAT(failure(hec_response(status, status)), HasSubstr(std::to_string(status)));
    batch_.held_back = 10min;
    EXPECT_TRUE(is<Retry>(hec_response(status, "<html>"))) << status;
  }
  EXPECT_NE((batch_.held_back = 9min, failure(hec_response(400, 5))), "") << "on the way there";
}

TEST_F(AcknowledgementsTest, OneOfSeveralHostsParksNothing) {
  options_.several_hosts = true;
  for (const auto& [status, code] : {std::pair(403, 1), {401, 2}, {403, 4}, {400, 14}, {400, 21}})
    EXPECT_NE(failure(hec_response(status, code)), "") << code;
  batch_.held_back = 10min;
  EXPECT_TRUE(is<Retry>(hec_response(403, 4)));
}

TEST_F(AcknowledgementsTest, WhatNeedsAPersonParks) {
  for (const auto& [status, code] :
       {std::pair(403, 1), {401, 2}, {401, 3}, {403, 4}, {400, 14}, {400, 21}, {400, 22}})
    EXPECT_TRUE(is<Park>(hec_response(status, code))) << code;
  EXPECT_THAT(std::get<Park>(judged(hec_response(400, 14))).reason, HasSubstr("ack = false"));
  HttpResponse setup;
  setup.failure = HttpFailure::kSetup;
  EXPECT_TRUE(is<Park>(setup));
  PostResponse response;
  response.unsent = Error{ErrorCode::kAuth, 0, "no token"};
  EXPECT_TRUE(std::holds_alternative<Park>(judge_acks(options_, batch_, response)));
  response.unsent = Error{ErrorCode::kIo, 0, "the disk"};
  EXPECT_TRUE(std::holds_alternative<Poll>(judge_acks(options_, batch_, response)));
}

}  // namespace
}  // namespace edgehose
