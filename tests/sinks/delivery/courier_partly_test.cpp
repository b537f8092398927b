// A destination that tells of each record: some are delivered, some refused, some go again.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using State = CourierStatus::State;

SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence{first}, Sequence{last}};
}

class CourierPartlyTest : public CourierTest {
 protected:
  // Of the records 1, 2 and 3 of each claim.
  CourierPartlyTest() {
    const Rejected one{{Sequence{1}}, "bad date", "date"}, three{{Sequence{3}}, "bad number"};
    const Ranges second{range(2, 2)}, third{range(3, 3)}, last_two{range(2, 3)};
    sink->verdicts["1 bad, 2 again"] = Partly{{one}, second, "queue full"};
    sink->verdicts["1 bad, 2 and 3 again"] = Partly{{one}, last_two, "queue full"};
    sink->verdicts["2 and 3 again"] = Partly{{}, last_two, "queue full"};
    sink->verdicts["3 again"] = Partly{{}, third, "queue full"};
    sink->verdicts["3 again in 30 s"] = Partly{{}, third, "queue full", 30s};
    sink->verdicts["3 bad"] = Partly{{three}, {}, ""};
    sink->verdicts["3 blocked"] = Partly{{}, third, "index blocked", {}, true};
    sink->verdicts["all blocked"] = Partly{{}, {range(1, 3)}, "index blocked", {}, true};
    sink->verdicts["all bad"] =
        Partly{{one, {{Sequence{2}}, "bad", "date"}, {{Sequence{3}}, "bad", "date"}}, {}, ""};
    sink->verdicts["2 and 3 bad"] = Partly{{{{Sequence{2}, Sequence{3}}, "bad", "date"}}, {}, ""};
  }
  void make_for(Recognises what) { make({.concurrency = 1, .recognises = what}); }
  Settled only_settled() {
    const auto settled = take<Settled>();
    EXPECT_EQ(settled.size(), 1u);
    return settled.empty() ? Settled{} : settled[0];
  }
};

TEST_F(CourierPartlyTest, OnlyWhatIsLeftGoesAgain) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("2 and 3 again");
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().last_error, "queue full");
  EXPECT_LE(advance_to_next(), 1s);
  answer("3 again");
  advance_to_next();
  summary->object_bytes = 40;  // of a body that holds one record
  answer("ok");
  EXPECT_THAT(sink->left, ElementsAre(Ranges{}, Ranges{range(2, 3)}, Ranges{range(3, 3)}));
  const Settled settled = only_settled();
  EXPECT_TRUE(settled.ack.dead.empty());
  EXPECT_EQ(settled.sent_bytes, 100u) << "of the attempt that had all of it";
  EXPECT_EQ(status().retries, 2u);
  EXPECT_EQ(status().sent_objects, 1u);
}

TEST_F(CourierPartlyTest, WhatIsRefusedIsDeadLetteredWhenTheClaimSettles) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  const WallTime refused_at = clock.wall();
  answer("1 bad, 2 and 3 again");
  EXPECT_TRUE(take<Settled>().empty());
  advance_to_next();
  clock.advance(5s);
  answer("3 bad");
  const Settled settled = only_settled();
  ASSERT_EQ(settled.ack.dead.size(), 2u);
  EXPECT_EQ(settled.ack.dead[0].body, "one");
  EXPECT_EQ(settled.ack.dead[0].reason, "bad date");
  EXPECT_EQ(settled.ack.dead[0].attempts, 1u);
  EXPECT_EQ(settled.ack.dead[0].given_up, refused_at);
  EXPECT_EQ(settled.ack.dead[1].body, "three");
  EXPECT_EQ(settled.ack.dead[1].attempts, 2u);
}

TEST_F(CourierPartlyTest, ARefusalOfTheRestIsOfThoseThatWereLeft) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("2 and 3 again");
  advance_to_next();
  answer("poison");
  const Settled settled = only_settled();
  ASSERT_EQ(settled.ack.dead.size(), 2u);
  EXPECT_EQ(settled.ack.dead[0].body, "two");
  EXPECT_EQ(settled.ack.dead[1].body, "three");
}

TEST_F(CourierPartlyTest, WithNothingLeftItIsSettled) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("3 bad");
  EXPECT_EQ(only_settled().ack.dead.size(), 1u);
  EXPECT_EQ(status().last_success, clock.wall());
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierPartlyTest, ProgressIsADeliveryAndWithoutItThePauseGrows) {
  make({.retry = {1s, 5min}, .concurrency = 1, .recognises = Recognises::kRecords});
  post(1);
  run();
  for (int i = 0; i < 20; ++i) {
    answer("away");
    advance_to_next();
  }
  answer("3 again");
  EXPECT_EQ(status().last_success, clock.wall());
  EXPECT_LE(advance_to_next(), 1s) << "the first pause";
  Duration longest{};
  for (int i = 0; i < 40; ++i) {
    answer("3 again");
    longest = std::max(longest, advance_to_next());
  }
  EXPECT_GT(longest, 1min) << "nothing was delivered";
}

TEST_F(CourierPartlyTest, TheServersWishIsObeyed) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("3 again in 30 s");
  EXPECT_GE(advance_to_next(), 30s);
}

TEST_F(CourierPartlyTest, WhatWaitsAloneHoldsNobodyBack) {
  make_for(Recognises::kRecords);
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  answer("3 blocked");
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].key, "key-2") << "at once";
  EXPECT_EQ(status().failing_alone, 1u);
  EXPECT_EQ(status().last_error, "index blocked");
  answer("all blocked");
  EXPECT_EQ(transport->sent.at(0).key, "key-3");
  answer("ok");
  EXPECT_EQ(status().state, State::kIdle);
  EXPECT_EQ(status().failing_alone, 2u);
  while (!transport->sent.empty() || run() != kNever) {
    if (transport->sent.empty())
      advance_to_next();
    else
      answer("ok");
  }
  EXPECT_EQ(take<Settled>().size(), 3u);
  EXPECT_EQ(status().failing_alone, 0u);
}

TEST_F(CourierPartlyTest, TheSinkIsToldHowLongOneIsHeldBack) {
  make({.retry = {10s, 10s}, .concurrency = 1, .recognises = Recognises::kRecords});
  post(1);
  run();
  answer("3 blocked");
  EXPECT_EQ(sink->held_back.back(), Duration{});
  const Duration first = advance_to_next();
  clock.advance(3s);
  answer("3 blocked");
  EXPECT_EQ(sink->held_back.back(), first + 3s);
  const Duration second = advance_to_next();
  answer("away");  // what follows until the next answer says nothing
  EXPECT_EQ(sink->held_back.back(), first + 3s + second);
  clock.advance(24h);
  run();
  answer("3 blocked");
  EXPECT_EQ(sink->held_back.back(), first + 3s + second);
}

TEST_F(CourierPartlyTest, TenBatchesRefusedWholeParkHoweverItIsTold) {
  make_for(Recognises::kRecords);
  for (std::uint64_t n = 1; n <= 11; ++n) post(n);
  run();
  for (int i = 0; i < 8; ++i) answer("all bad");
  answer("2 and 3 again");  // the ninth: one was delivered
  advance_to_next();
  answer("all bad");  // the tenth, while the ninth waits for its turn
  while (transport->sent.at(0).key != "key-9") answer("all bad");
  answer("2 and 3 bad");
  EXPECT_NE(status().state, State::kParked) << "one of the ninth was delivered";
}

TEST_F(CourierPartlyTest, TheTenthIsKeptWholeAndSentWholeByTheProbe) {
  make_for(Recognises::kRecords);
  for (std::uint64_t n = 1; n <= 10; ++n) post(n);
  run();
  sink->verdicts["1 bad, the others again"] =
      Partly{{{{Sequence{1}}, "bad", "date"}}, {range(2, 3)}, "queue full"};
  for (int i = 0; i < 9; ++i) answer("all bad");
  EXPECT_EQ(take<Settled>().size(), 9u);
  answer("1 bad, the others again");
  advance_to_next();
  answer("2 and 3 bad");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_TRUE(take<Settled>().empty());
  advance_to_next();
  EXPECT_EQ(sink->left.back(), Ranges{}) << "a person put the mapping right: all of it is sent";
  answer("ok");
  EXPECT_TRUE(only_settled().ack.dead.empty());
}

TEST_F(CourierPartlyTest, WhatIsToldAgainAfterALostAnswerIsAPossibleDuplicate) {
  for (const Recognises what : {Recognises::kNothing, Recognises::kRecords}) {
    make_for(what);
    post(1);
    run();
    answer("2 and 3 again");  // 1 is there once
    advance_to_next();
    answer("lost");
    advance_to_next();
    answer("3 again");  // 2 perhaps twice
    advance_to_next();
    answer("3 bad");  // it may be there, and does not count as delivered
    EXPECT_EQ(only_settled().ack.possible_duplicates, what == Recognises::kNothing ? 2u : 0u);
  }
}

TEST_F(CourierPartlyTest, HalvedItIsSentAnewAndWhatWasThereIsCounted) {
  for (const Recognises what : {Recognises::kNothing, Recognises::kRecords}) {
    make_for(what);
    post(1);
    run();
    answer("2 and 3 again");
    advance_to_next();
    answer("large");
    const auto halves = take<Halve>();
    ASSERT_EQ(halves.size(), 1u);
    EXPECT_EQ(halves[0].possible_duplicates, what == Recognises::kNothing ? 1u : 0u);
  }
}

TEST_F(CourierPartlyTest, ASingleRecordThatIsLeftIsNotHalved) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("3 again");
  advance_to_next();
  answer("large");
  const Settled settled = only_settled();
  ASSERT_EQ(settled.ack.dead.size(), 1u);
  EXPECT_EQ(settled.ack.dead[0].body, "three");
}

TEST_F(CourierPartlyTest, WhatCannotBeReadIsCountedOnceHoweverManyAttempts) {
  make_for(Recognises::kRecords);
  summary->missing_records = 1;  // 2 is damaged
  summary->encoded = {2, 20};
  post(1);
  run();
  sink->verdicts["1 again"] = Partly{{}, {range(1, 1)}, "queue full"};
  answer("1 again");
  *summary = {};
  advance_to_next();
  answer("away");
  summary->missing_records = 1;  // and now 1
  advance_to_next();
  answer("ok");
  EXPECT_EQ(only_settled().ack.unreadable, (Counter{2, 20}));
}

TEST_F(CourierPartlyTest, WhatIsRefusedAndDamagedBeforeItIsALetterIsUnreadable) {
  make_for(Recognises::kRecords);
  post(1);
  run();
  answer("1 bad, 2 and 3 again");
  store.add_block(1, 2, {"two", "three"});  // as if 1 could not be read
  advance_to_next();
  answer("ok");
  const Settled settled = only_settled();
  EXPECT_TRUE(settled.ack.dead.empty());
  EXPECT_EQ(settled.ack.unreadable, (Counter{1, 10}));
}

TEST_F(CourierPartlyTest, ABufferThatCannotBeReadForLettersMakesNothingGoAgain) {
  make_for(Recognises::kNothing);
  post(1);
  run();
  store.broken = true;
  answer("3 bad");
  EXPECT_EQ(status().state, State::kBackingOff);
  store.broken = false;
  advance_to_next();
  EXPECT_EQ(transport->log.size(), 1u);
  EXPECT_EQ(only_settled().ack.dead.size(), 1u);
}

TEST_F(CourierPartlyTest, AReplayIsToldOfLetterByLetter) {
  make_for(Recognises::kRecords);
  post_replay(1);
  run();
  answer("1 bad, 2 and 3 again");
  advance_to_next();
  EXPECT_EQ(sink->left.back(), Ranges{range(2, 3)});
  answer("ok");
  const Settled settled = only_settled();
  ASSERT_EQ(settled.ack.dead.size(), 1u);
  EXPECT_EQ(settled.ack.dead[0].id, 11u);
  EXPECT_EQ(settled.ack.dead[0].reason, "bad date");
}

TEST_F(CourierPartlyTest, AnotherLifeSendsAllOfItAgain) {
  make_for(Recognises::kNothing);
  post(1);
  run();
  answer("1 bad, 2 and 3 again");
  courier->stop();
  EXPECT_TRUE(outcomes.take().empty());
  make_for(Recognises::kNothing);
  Claim resumed = claim(1);
  resumed.resumed = true;
  courier->claims().post(resumed);
  run();
  EXPECT_EQ(sink->left.back(), Ranges{});
  answer("ok");
  EXPECT_EQ(only_settled().ack.possible_duplicates, 3u);
}

}  // namespace
}  // namespace edgehose
