#include "sinks/splunk/hec_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/splunk/acknowledgements.h"
#include "tests/sinks/splunk/support.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Ranges = std::vector<SequenceRange>;
using enum HostHealth;

class HecVerdictTest : public ::testing::Test {
 protected:
  HecVerdictTest() {
    response_.sent = {range(3, 4), range(9, 11)};
    response_.endpoint = "https://a:8088";
    response_.channel = "c-1";
  }
  Verdict judged(HttpResponse answer) {
    response_.answer = std::move(answer);
    return judge_hec(options_, response_);
  }
  static std::string number(int n) { return fmt::format(",\"invalid-event-number\":{}", n); }

  HecOptions options_;
  PostResponse response_;
};

TEST_F(HecVerdictTest, WhatIsTakenIsAskedAfterWhereItIsWanted) {
  EXPECT_TRUE(std::holds_alternative<Delivered>(judged(hec_response(200, 0, ",\"ackId\":7"))));
  options_.ack = true;
  options_.ack_interval = 10s;
  const Verdict verdict = judged(hec_response(200, 0, ",\"ackId\":7"));
  const auto& poll = std::get<Poll>(verdict);
  EXPECT_EQ(poll.receipt, (Receipt{"https://a:8088", "c-1", 7}.text()));
  EXPECT_EQ(poll.serial, 7u);
  EXPECT_EQ(poll.group, (Receipt{"https://a:8088", "c-1", 7}.group()));
  EXPECT_EQ(poll.after, 2s);
}

// It is asked after all the same: the server then says that it does not acknowledge, and nothing is
// sent again and again meanwhile.
TEST_F(HecVerdictTest, WithoutAnIdItIsNotDelivered) {
  options_.ack = true;
  const Verdict verdict = judged(hec_response(200, 0));
  EXPECT_EQ(Receipt::read(std::get<Poll>(verdict).receipt).id, kNoAckId);
  EXPECT_EQ(std::get<Poll>(verdict).serial, std::nullopt);
}

TEST_F(HecVerdictTest, TheNumberedEventIsRefusedAndTheRestGoesAgainAtOnce) {
  const Verdict verdict = judged(hec_response(400, 12, number(2)));
  const auto& partly = std::get<Partly>(verdict);
  ASSERT_EQ(partly.refused.size(), 1u);
  EXPECT_EQ(partly.refused[0].records, std::vector<Sequence>{Sequence(9)});
  EXPECT_THAT(partly.refused[0].reason, HasSubstr("code 12"));
  EXPECT_EQ(partly.refused[0].kind, "code 12");
  EXPECT_EQ(partly.again, Ranges{range(10, 11)});
  EXPECT_TRUE(partly.at_once);
}

TEST_F(HecVerdictTest, TheFirstAndTheLastMayBeIt) {
  const Verdict first = judged(hec_response(400, 6, number(0)));
  EXPECT_EQ(std::get<Partly>(first).again, (Ranges{range(4, 4), range(9, 11)}));
  const Verdict last = judged(hec_response(400, 6, number(4)));
  EXPECT_EQ(std::get<Partly>(last).again, Ranges{});
}

TEST_F(HecVerdictTest, WithoutItsNumberItIsLookedForByHalving) {
  for (const std::string& more : {std::string(), number(5), number(99)}) {
    const Verdict verdict = judged(hec_response(400, 6, more));
    EXPECT_TRUE(std::get<TooLarge>(verdict).maybe_arrived) << "those before it were taken";
  }
  options_.raw = true;
  EXPECT_TRUE(std::holds_alternative<TooLarge>(judged(hec_response(400, 6, number(2)))))
      << "the server breaks lines into events by itself";
  response_.sent = {range(3, 3)};
  const Verdict alone = judged(hec_response(400, 6));
  EXPECT_THAT(std::get<Rejected>(alone).reason, HasSubstr("code 6"));
  EXPECT_EQ(std::get<Rejected>(alone).records, std::vector<Sequence>{Sequence{3}})
      << "not the empty lines around it";
}

// A server's words may repeat what an event holds.
TEST_F(HecVerdictTest, TheServersWordsGoToTheDeadLettersAlone) {
  const HttpResponse answer =
      hec_response(400, R"({"text":"cannot read 'canary'","code":6,"invalid-event-number":2})");
  const Verdict named = judged(answer);
  const Rejected& refused = std::get<Partly>(named).refused.at(0);
  EXPECT_THAT(refused.reason, HasSubstr("canary"));
  EXPECT_THAT(refused.shown, HasSubstr("400, code 6 (no valid event)"));
  EXPECT_THAT(refused.shown + std::get<Partly>(named).reason, testing::Not(HasSubstr("canary")));
  options_.raw = true;
  EXPECT_THAT(std::get<TooLarge>(judged(answer)).reason, testing::Not(HasSubstr("canary")));
  response_.sent = {range(3, 3)};
  const Verdict alone = judged(answer);
  EXPECT_THAT(std::get<Rejected>(alone).reason, HasSubstr("canary"));
  EXPECT_THAT(std::get<Rejected>(alone).shown, testing::Not(HasSubstr("canary")));
}

TEST_F(HecVerdictTest, AnIndexThatIsTheSameForAllParksElseTheEventIsRefused) {
  const Verdict all = judged(hec_response(400, 7, number(2)));
  EXPECT_THAT(std::get<Park>(all).reason, HasSubstr("\"index\""));
  options_.fixed_index = false;
  const Verdict one = judged(hec_response(400, 7, number(3)));
  EXPECT_EQ(std::get<Partly>(one).refused[0].records, std::vector<Sequence>{Sequence(9)});
  EXPECT_EQ(std::get<Partly>(one).again, Ranges{range(10, 11)});
}

// Those before it were taken, whether a server counts from 1 or from 0.
TEST_F(HecVerdictTest, AnIndexCountsItsEventsFromOne) {
  options_.fixed_index = false;
  const Verdict first = judged(hec_response(400, 7, number(1)));
  EXPECT_EQ(std::get<Partly>(first).refused[0].records, std::vector<Sequence>{Sequence(3)});
  EXPECT_EQ(std::get<Partly>(first).again, (Ranges{range(4, 4), range(9, 11)}));
  EXPECT_THAT(std::get<Partly>(first).reason, HasSubstr("of event 0"));
  const Verdict last = judged(hec_response(400, 7, number(5)));
  EXPECT_EQ(std::get<Partly>(last).refused[0].records, std::vector<Sequence>{Sequence(11)});
  EXPECT_EQ(std::get<Partly>(last).again, Ranges{});
  for (const int none : {0, 6})
    EXPECT_TRUE(std::get<TooLarge>(judged(hec_response(400, 7, number(none)))).maybe_arrived)
        << none;
}

TEST_F(HecVerdictTest, APortalIsNoCollector) {
  const Verdict verdict = judged(hec_response(200, "<html>Log in</html>"));
  EXPECT_TRUE(std::get<Retry>(verdict).maybe_arrived);
  EXPECT_THAT(std::get<Retry>(verdict).reason, HasSubstr("portal"));
}

TEST_F(HecVerdictTest, WithoutACodeTheStatusCounts) {
  EXPECT_TRUE(std::holds_alternative<TooLarge>(judged(hec_response(413, "<html>"))));
  EXPECT_TRUE(std::holds_alternative<Park>(judged(hec_response(401, ""))));
  EXPECT_THAT(std::get<Park>(judged(hec_response(404, ""))).reason, HasSubstr("endpoints"));
  EXPECT_FALSE(std::get<Retry>(judged(hec_response(429, ""))).maybe_arrived);
}

TEST_F(HecVerdictTest, AProxyThatGaveUpMayHaveHandedItOn) {
  for (const int status : {408, 500, 502, 503, 504})
    EXPECT_TRUE(std::get<Retry>(judged(hec_response(status, "<html>"))).maybe_arrived) << status;
  EXPECT_FALSE(std::get<Retry>(judged(hec_response(503, 9))).maybe_arrived) << "a collector's";
}

TEST_F(HecVerdictTest, AcknowledgementsThatNobodyAsksForPileUp) {
  EXPECT_THAT(std::get<Retry>(judged(hec_response(429, 27))).reason, HasSubstr("ack = true"));
  options_.ack = true;
  EXPECT_THAT(std::get<Retry>(judged(hec_response(429, 27))).reason,
              testing::Not(HasSubstr("ack = true")));
}

TEST_F(HecVerdictTest, ItsWishIsObeyed) {
  HttpResponse busy = hec_response(503, 9);
  busy.headers = {{"retry-after", "30"}};
  EXPECT_EQ(std::get<Retry>(judged(busy)).after, 30s);
}

TEST(HecService, HowAHostIs) {
  for (const int code : {0, 17, 24}) EXPECT_EQ(hec_health(hec_response(200, code)), kWell) << code;
  for (const int code : {9, 18, 19, 20, 23})
    EXPECT_EQ(hec_health(hec_response(503, code)), kUnwell) << code;
  EXPECT_EQ(hec_health(hec_response(500, 8)), kUnwell);
  for (const int code : {21, 22}) EXPECT_EQ(hec_health(hec_response(400, code)), kUnwell) << code;
  EXPECT_EQ(hec_health(hec_response(403, 4)), kUnwell);
}

TEST(HecService, WhatIsNoCollectorsWordOfItsHealth) {
  for (const int status : {200, 204, 301, 302, 408, 429, 500, 502, 503, 504})
    EXPECT_EQ(hec_health(hec_response(status, "<html>")), kUnwell) << status;
  for (const int status : {401, 403, 404, 405, 501})
    EXPECT_EQ(hec_health(hec_response(status, "<html>")), kNotKnown) << status;
  EXPECT_EQ(hec_health(hec_response(404, 404)), kNotKnown);
  EXPECT_EQ(hec_health(hec_response(200, 200)), kNotKnown) << "a code of its own";
}

TEST(HecService, NothingHasArrivedWithAQuestionForItsHealth) {
  for (const int status : {200, 500, 502, 503}) {
    const Verdict verdict = judge_hec_health(hec_response(status, "<html>"));
    EXPECT_FALSE(std::get<Retry>(verdict).maybe_arrived) << status;
  }
  EXPECT_FALSE(std::get<Retry>(judge_hec_health(hec_response(500, 8))).maybe_arrived);
  EXPECT_TRUE(std::holds_alternative<Park>(judge_hec_health(hec_response(400, 21))));
  for (const auto failure : {HttpFailure::kStalled, HttpFailure::kTooLong}) {
    HttpResponse silence;
    silence.body = "{";
    silence.failure = failure;
    silence.maybe_arrived = true;
    const Verdict verdict = judge_hec_health(silence);
    EXPECT_FALSE(std::get<Retry>(verdict).maybe_arrived) << "nor is anything halved";
  }
}

TEST(HecService, GzipIsRefusedByItsStatus) {
  EXPECT_TRUE(hec_refuses_gzip(hec_response(415, "")));
  EXPECT_FALSE(hec_refuses_gzip(hec_response(400, 6)));
}

}  // namespace
}  // namespace edgehose
