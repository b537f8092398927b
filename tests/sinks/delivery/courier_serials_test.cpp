// A destination that has lost its memory gives the places of receipts once more: whose an
// acknowledgement is, is known, or the receipt is said to be ambiguous.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class CourierSerialsTest : public CourierTest {
 protected:
  CourierSerialsTest() {
    for (std::uint64_t serial = 0; serial < 9; ++serial)
      for (const char* const group : {"a", "b"}) {
        const std::string receipt = group + std::to_string(serial);
        sink->verdicts["taken " + receipt] =
            Poll{.receipt = receipt, .after = 10s, .group = group, .serial = serial};
      }
  }
  void begin(unsigned concurrency, std::uint64_t claims) {
    make({.retry = {1s, 1s}, .concurrency = concurrency, .recognises = Recognises::kNothing});
    for (std::uint64_t n = 1; n <= claims; ++n) post(n);
    run();
  }
  // Lets the question come, and tells what the sink is told of ambiguity when it is answered.
  std::vector<bool> ask(const std::string& question) {
    while (transport->sent.empty()) advance_to_next();
    EXPECT_EQ(transport->sent.at(0).key, question);
    sink->ambiguous.clear();
    answer("away");
    return sink->ambiguous;
  }
};

TEST_F(CourierSerialsTest, OnesThatGoOnAreClear) {
  begin(1, 3);
  for (const char* const taken : {"taken a0", "taken a1", "taken a2"}) answer(taken);
  EXPECT_THAT(ask("? a0 a1 a2"), ElementsAre(false, false, false));
}

TEST_F(CourierSerialsTest, OneThatIsNotAboveTheHighestMakesOlderOnesAmbiguous) {
  begin(1, 3);
  for (const char* const taken : {"taken a3", "taken a4", "taken a1"}) answer(taken);
  EXPECT_THAT(ask("? a3 a4 a1"), ElementsAre(true, true, false));
}

TEST_F(CourierSerialsTest, TheHighestCountsEvenWhenItIsAcknowledged) {
  begin(1, 2);
  answer("taken a3");
  answer("taken a5");
  while (transport->sent.empty()) advance_to_next();
  sink->told = {{"a3", "taken a3"}, {"a5", "ok"}};
  answer("told");
  EXPECT_EQ(take<Settled>().size(), 1u);
  post(3);
  run();
  answer("taken a4");
  EXPECT_THAT(ask("? a3 a4"), ElementsAre(true, false));
}

TEST_F(CourierSerialsTest, AnotherGroupCountsByItself) {
  begin(1, 2);
  answer("taken a3");
  answer("taken b1");
  EXPECT_THAT(ask("? a3"), ElementsAre(false));
}

// Of two that were sent together the answers come in any order.
TEST_F(CourierSerialsTest, AnswersInAnotherOrderSayNothing) {
  begin(2, 2);
  answer("taken a6", 1);
  answer("taken a5");
  EXPECT_THAT(ask("? a5 a6"), ElementsAre(false, false));
}

TEST_F(CourierSerialsTest, WhatMayHaveTakenAPlaceWithoutBeingToldOfItMakesItAmbiguous) {
  begin(1, 3);
  answer("taken a0");
  answer("taken a1");
  answer("lost");
  sink->ambiguous.clear();
  for (int i = 0; i < 4 && sink->ambiguous.size() < 2; ++i) {
    while (transport->sent.empty()) advance_to_next();
    if (transport->sent[0].key == "key-3")
      answer("away");
    else
      EXPECT_THAT(ask("? a0 a1"), ElementsAre(true, false)) << "of one batch only";
  }
}

TEST_F(CourierSerialsTest, AClearFailureTakesNoPlace) {
  begin(1, 2);
  answer("taken a0");
  answer("away");
  while (transport->sent.empty() || transport->sent[0].key != "? a0") {
    if (!transport->sent.empty()) answer("away");
    advance_to_next();
  }
  EXPECT_THAT(ask("? a0"), ElementsAre(false));
}

TEST_F(CourierSerialsTest, AFirstOneIsNotAskedForWhileABatchIsUnderWay) {
  begin(2, 4);
  answer("taken a0");
  answer("taken a3");
  ASSERT_EQ(transport->sent.size(), 2u);
  clock.advance(10s);
  answer("ok");  // one of the two slots is free
  ASSERT_EQ(transport->sent.size(), 2u);
  EXPECT_EQ(transport->sent[1].key, "? a3") << "that one has no batch that could have taken it";
  post(5);
  run();
  sink->told = {{"a3", "taken a3"}};
  transport->answer(1, "told");
  run();
  EXPECT_EQ(transport->sent.size(), 1u) << "nothing is begun before it is asked for";
  answer("ok");
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].key, "? a0 a3");
}

TEST_F(CourierSerialsTest, AQuestionThatTakesLongHoldsNobodyBackAndItsAnswerIsAmbiguous) {
  begin(2, 1);
  answer("taken a0");
  advance_to_next();
  ASSERT_EQ(transport->sent.at(0).key, "? a0");
  post(2);
  run();
  EXPECT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(advance_to_next(), 5s);
  ASSERT_EQ(transport->sent.size(), 2u);
  EXPECT_EQ(transport->sent[1].key, "key-2");
  sink->ambiguous.clear();
  answer("ok");
  EXPECT_THAT(sink->ambiguous, ElementsAre(false, true)) << "judged again, as ambiguous";
}

TEST_F(CourierSerialsTest, AnAnsweredQuestionHoldsNobodyBack) {
  begin(2, 1);
  answer("taken a0");
  advance_to_next();
  post(2);
  run();
  ASSERT_EQ(transport->sent.size(), 1u);
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].key, "key-2");
}

}  // namespace
}  // namespace edgehose
