// What was told of record by record adds up: dead letters, possible duplicates, unreadable ones.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_partly_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using State = CourierStatus::State;

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

TEST_F(CourierPartlyTest, WhatWasHeldBackForTooLongDoesNotPark) {
  make_for(Recognises::kRecords);
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (int i = 0; i < 12; ++i) answer("all blocked too long");
  EXPECT_EQ(take<Settled>().size(), 12u);
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierPartlyTest, WhatRepeatsTheRecordIsForTheDeadLetterOnly) {
  make_for(Recognises::kRecords);
  for (std::uint64_t n = 1; n <= 10; ++n) post(n);
  run();
  for (int i = 0; i < 10; ++i) answer("all bad, of which nothing is shown");
  EXPECT_EQ(take<Settled>().at(0).ack.dead.at(0).reason, "bad canary");
  EXPECT_EQ(status().last_error, "10 batches in a row were refused whole: bad");
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

TEST_F(CourierPartlyTest, WhatTheSinkSaysMayBeThereTwiceIsCounted) {
  make_for(Recognises::kRecords);
  sink->verdicts["3 again, 1 twice"] = Partly{{}, {range(3, 3)}, "queue full", {}, false, 1};
  sink->verdicts["twice"] = Delivered{1};
  post(1);
  run();
  answer("3 again, 1 twice");
  advance_to_next();
  answer("twice");
  EXPECT_EQ(only_settled().ack.possible_duplicates, 2u);
}

TEST_F(CourierPartlyTest, HalvedItIsSentAnewAndWhatWasThereIsCounted) {
  for (const Recognises what : {Recognises::kNothing, Recognises::kRecords}) {
    make_for(what);
    post(1);
    run();
    answer("2 and 3 again");
    advance_to_next();
    answer("large");
    const auto posted = take<Halve>();
    ASSERT_EQ(posted.size(), 1u);
    EXPECT_EQ(posted[0].possible_duplicates, what == Recognises::kNothing ? 1u : 0u);
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

TEST_F(CourierPartlyTest, LettersOfAReplayThatWereRefusedStayWhereTheOthersArePurged) {
  make_for(Recognises::kRecords);
  post_replay(1);
  run();
  answer("1 bad, 2 and 3 again");
  body_error = Error{ErrorCode::kNotFound, 0, "nothing of it is there any more"};
  store.letters.erase(12);
  store.letters.erase(13);
  advance_to_next();
  const Settled settled = only_settled();
  ASSERT_EQ(settled.ack.dead.size(), 1u);
  EXPECT_EQ(settled.ack.dead[0].id, 11u);
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
