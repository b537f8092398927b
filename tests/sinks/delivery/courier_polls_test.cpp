// A destination that acknowledges later: receipts are asked for, together, and bound nothing.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using State = CourierStatus::State;

class CourierPollsTest : public CourierTest {
 protected:
  CourierPollsTest() {
    for (const char* const r : {"r-1", "r-2", "r-3"})
      sink->verdicts[std::string("taken ") + r] = sink->verdicts[std::string("not yet ") + r] =
          Poll{r, 10s};
    sink->verdicts["taken elsewhere"] = Poll{"e-1", 10s, "elsewhere"};
    sink->verdicts["no answer to r-1"] = Poll{"r-1", 10s, "", "timed out"};
    sink->verdicts["unknown"] = Retry{"the receipt is not known any more"};
  }
  void make_for(Recognises what, unsigned concurrency = 1) {
    make({.concurrency = concurrency, .recognises = what});
  }
  void post_and_run(std::initializer_list<std::uint64_t> claims) {
    for (const std::uint64_t n : claims) post(n);
    run();
  }
};

TEST_F(CourierPollsTest, WhatIsTakenIsAskedForUntilItIsAcknowledged) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  EXPECT_TRUE(take<Settled>().empty());
  EXPECT_EQ(status().unacknowledged, 1u);
  EXPECT_EQ(status().in_flight + status().queued, 0u);
  EXPECT_EQ(status().state, State::kSending);
  EXPECT_EQ(status().last_success, WallTime{}) << "it is not delivered";
  EXPECT_EQ(advance_to_next(), 10s);
  EXPECT_EQ(transport->log.back(), "? r-1");
  answer("not yet r-1");
  EXPECT_EQ(advance_to_next(), 10s);
  answer("ok");
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 1u);
  EXPECT_EQ(settled[0].ack.possible_duplicates, 0u);
  EXPECT_EQ(settled[0].sent_bytes, 100u) << "of what was sent, not of the question";
  EXPECT_EQ(status().retries, 0u);
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierPollsTest, WhileItWaitsOthersAreSent) {
  make_for(Recognises::kNothing);
  post_and_run({1, 2, 3});
  answer("taken r-1");
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].key, "key-2");
  answer("taken r-2");
  EXPECT_EQ(transport->sent.at(0).key, "key-3");
  answer("taken r-3");
  EXPECT_EQ(status().unacknowledged, 3u);
}

TEST_F(CourierPollsTest, OneQuestionIsForAllOfAGroup) {
  make_for(Recognises::kNothing);
  post_and_run({1, 2, 3, 4});
  answer("taken r-1");
  answer("taken r-2");
  clock.advance(4s);
  answer("taken r-3");
  answer("taken elsewhere");
  EXPECT_EQ(advance_to_next(), 6s);
  EXPECT_THAT(transport->sent.at(0).key, "? r-1 r-2 r-3");
  sink->told = {{"r-1", "not yet r-1"}, {"r-2", "ok"}, {"r-3", "unknown"}};
  answer("told");
  EXPECT_EQ(take<Settled>().at(0).ack.claim, ClaimId{2});
  EXPECT_EQ(status().unacknowledged, 2u);
  EXPECT_EQ(status().queued, 1u) << "3 is sent again";
  advance_to_next();
  EXPECT_EQ(transport->sent.at(0).key, "key-3");
  answer("ok");
  advance_to_next();
  EXPECT_EQ(transport->sent.at(0).key, "? e-1") << "of another group: when it is due itself";
}

TEST_F(CourierPollsTest, WhatIsNotKnownThereIsSentAgainAndCounted) {
  for (const Recognises what : {Recognises::kNothing, Recognises::kRecords}) {
    make_for(what);
    post_and_run({1});
    answer("taken r-1");
    advance_to_next();
    answer("unknown");
    advance_to_next();
    EXPECT_EQ(transport->sent.at(0).key, "key-1");
    EXPECT_TRUE(sink->maybe_arrived.back());
    answer("taken r-2");
    advance_to_next();
    answer("ok");
    EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates,
              what == Recognises::kNothing ? 3u : 0u);
  }
}

TEST_F(CourierPollsTest, WhatCannotBeAskedForIsSentAgain) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  sink->may_poll = false;
  advance_to_next();
  EXPECT_EQ(transport->sent.at(0).key, "key-1");
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates, 3u);
}

TEST_F(CourierPollsTest, AQuestionThatFailsIsTheSinksFailureAndIsAskedAgain) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  advance_to_next();
  answer("no answer to r-1");
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().last_error, "timed out");
  EXPECT_EQ(status().unacknowledged, 1u);
  advance_to_next();
  EXPECT_EQ(transport->log.back(), "? r-1");
  answer("not yet r-1");
  EXPECT_EQ(status().state, State::kSending);
  EXPECT_TRUE(status().last_error.empty());
  advance_to_next();
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates, 0u);
}

TEST_F(CourierPollsTest, ADestinationThatIsBusyIsAskedAllTheSame) {
  make({.retry = {1min, 1h}, .concurrency = 1, .recognises = Recognises::kNothing});
  post_and_run({1, 2});
  answer("taken r-1");
  unsigned asked = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(transport->sent.at(0).key, "key-2");
    answer("away");
    while (transport->sent.empty()) {
      advance_to_next();
      if (transport->sent.at(0).key != "? r-1") continue;
      ++asked;
      answer("not yet r-1");
      EXPECT_EQ(status().state, State::kBackingOff) << "2 is not taken";
    }
  }
  EXPECT_GT(asked, 20u);
  while (transport->sent.empty() || transport->sent[0].key != "? r-1") {
    if (!transport->sent.empty()) answer("away");
    advance_to_next();
  }
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_EQ(status().state, State::kBackingOff);
  advance_to_next();
  answer("ok");
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierPollsTest, AReceiptThatTwoBatchesHaveIsSaidToBeAmbiguous) {
  make({.concurrency = 2, .recognises = Recognises::kNothing});
  post_and_run({1, 2});
  answer("taken r-1", 1);
  EXPECT_FALSE(sink->ambiguous.back());
  answer("taken r-1");  // it has begun to count anew
  advance_to_next();
  answer("not yet r-1");
  EXPECT_THAT(sink->ambiguous, ElementsAre(false, false, true, true));
  advance_to_next();
  answer("unknown");
  advance_to_next();
  answer("taken r-2");
  EXPECT_FALSE(sink->ambiguous.back()) << "it is another receipt's";
}

TEST_F(CourierPollsTest, APauseIsForWhatIsSentNotForWhatIsAskedFor) {
  make_for(Recognises::kNothing);
  sink->verdicts["taken r-1, full"] = Poll{"r-1", 10s, "", "", 1min};
  post_and_run({1, 2});
  answer("taken r-1, full");
  EXPECT_TRUE(transport->sent.empty());
  EXPECT_EQ(status().state, State::kSending) << "nothing is wrong";
  EXPECT_EQ(advance_to_next(), 10s);
  EXPECT_EQ(transport->sent.at(0).key, "? r-1");
  answer("ok");
  EXPECT_EQ(advance_to_next(), 50s);
  EXPECT_EQ(transport->sent.at(0).key, "key-2");
}

TEST_F(CourierPollsTest, APauseAfterADelivery) {
  make_for(Recognises::kNothing);
  sink->verdicts["ok, full"] = Delivered{.pause = 2s};
  post_and_run({1, 2});
  answer("ok, full");
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_EQ(advance_to_next(), 2s);
  EXPECT_EQ(transport->sent.at(0).key, "key-2");
  sink->verdicts["ok, full"] = Delivered{.pause = 24h * 365};
  answer("ok, full");
  post_and_run({3});
  EXPECT_EQ(advance_to_next(), kLongestServerWish);
}

TEST_F(CourierPollsTest, AParkedSinkKeepsTheReceipt) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  advance_to_next();
  answer("denied");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_GE(advance_to_next(), 30s);
  EXPECT_EQ(transport->log.back(), "? r-1");
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
}

TEST_F(CourierPollsTest, TheSinkIsToldHowLongItIsUnacknowledged) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  EXPECT_EQ(sink->held_back.back(), Duration{});
  advance_to_next();
  clock.advance(2s);
  answer("not yet r-1");
  EXPECT_EQ(sink->held_back.back(), 12s);
  advance_to_next();
  answer("unknown");
  EXPECT_EQ(sink->held_back.back(), 22s);
  advance_to_next();
  answer("taken r-2");
  EXPECT_EQ(sink->held_back.back(), Duration{}) << "another receipt";
}

TEST_F(CourierPollsTest, TheSinkIsToldWhichReceiptsCameToNothing) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  EXPECT_EQ(sink->spent.back(), "0 ");
  answer("taken r-1");
  advance_to_next();
  answer("no answer to r-1");
  advance_to_next();
  answer("unknown");
  advance_to_next();
  EXPECT_EQ(sink->spent.back(), "1 r-1") << "a question that failed spends nothing";
  answer("taken r-2");
  sink->may_poll = false;
  advance_to_next();
  EXPECT_EQ(sink->spent.back(), "2 r-2");
  answer("away");
  advance_to_next();
  EXPECT_EQ(sink->spent.back(), "2 r-2") << "there was no other one";
}

TEST_F(CourierPollsTest, AcknowledgementsAreAskedForWhileTheDeadLettersAreFull) {
  make_for(Recognises::kNothing);
  post_and_run({1, 2});
  answer("taken r-1");
  answer("away");
  courier->holds().post("the dead letters are full");
  advance_to_next();
  EXPECT_THAT(transport->log, ElementsAre("key-1", "key-2", "? r-1"));
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_EQ(run(), kNever) << "2 is not sent";
}

TEST_F(CourierPollsTest, ANewLifeSendsWhatWasNotAcknowledged) {
  make_for(Recognises::kNothing);
  post_and_run({1});
  answer("taken r-1");
  courier->stop();
  make_for(Recognises::kNothing);
  Claim resumed = claim(1);
  resumed.resumed = true;
  courier->claims().post(resumed);
  run();
  EXPECT_EQ(transport->sent.at(0).key, "key-1");
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates, 3u);
}

}  // namespace
}  // namespace edgehose
