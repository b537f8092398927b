// A destination that takes some records of a batch: what is left goes again, and when.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_partly_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using State = CourierStatus::State;

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
  EXPECT_EQ(status().state, State::kBackingOff) << "nothing is under way, and two wait";
  EXPECT_EQ(status().next_attempt_in, run() - clock.now());
  EXPECT_EQ(status().failed_in_a_row, 1u) << "there is nothing but what is held back";
  EXPECT_EQ(status().failing_alone, 2u);
  while (!transport->sent.empty() || run() != kNever) {
    if (transport->sent.empty())
      advance_to_next();
    else
      answer("ok");
  }
  EXPECT_EQ(take<Settled>().size(), 3u);
  EXPECT_EQ(status().failing_alone, 0u);
  EXPECT_EQ(status().state, State::kIdle);
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

TEST_F(CourierPartlyTest, WhatWasNotLookedAtGoesAtOnce) {
  make_for(Recognises::kNothing);
  post(1);
  run();
  answer("2 bad, 3 at once");
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(sink->left.back(), Ranges{range(3, 3)});
  EXPECT_EQ(status().state, State::kSending);
  EXPECT_EQ(status().last_error, "");
  EXPECT_EQ(status().last_success, clock.wall()) << "1 is delivered";
  answer("ok");
  const Settled settled = only_settled();
  EXPECT_EQ(settled.ack.dead.size(), 1u);
  EXPECT_EQ(settled.ack.possible_duplicates, 0u);
}

// A destination to which each record is malformed gets no more of the link than a parked one.
TEST_F(CourierPartlyTest, NothingButRefusalsPark) {
  make_for(Recognises::kNothing);
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (unsigned i = 1; i < Courier::kRefusedInARow; ++i) {
    answer("1 bad, 2 and 3 at once");
    ASSERT_EQ(status().state, State::kSending) << i;
  }
  answer("1 bad, 2 and 3 at once");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_TRUE(take<Settled>().empty()) << "nothing is given up";
  EXPECT_GE(advance_to_next(), 30s);
  answer("1 bad, 2 and 3 at once");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_GE(advance_to_next(), 30s);
  answer("ok");
  EXPECT_EQ(status().state, State::kSending);
  answer("1 bad, 2 and 3 at once");
  EXPECT_EQ(status().state, State::kSending) << "something was delivered since";
}

// Empty lines between records that are all refused.
TEST_F(CourierPartlyTest, WhatHadNothingToBeSentIsNoDelivery) {
  make_for(Recognises::kNothing);
  summary->omitted_records = 1;
  for (std::uint64_t n = 1; n <= 2; ++n) post(n);
  run();
  for (unsigned i = 0; i < Courier::kRefusedInARow; ++i) answer("2 bad, 3 at once");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_EQ(status().last_success, WallTime{});
}

TEST_F(CourierPartlyTest, BatchesRefusedButForWhatHadNothingToBeSentPark) {
  make_for(Recognises::kNothing);
  summary->omitted_records = 2;
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (unsigned i = 0; i < Courier::kRefusedInARow; ++i) answer("3 bad");
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 9u);
  EXPECT_EQ(settled[0].ack.dead.size(), 1u);
  EXPECT_EQ(settled[0].ack.unreadable.records, 0u);
  EXPECT_EQ(status().state, State::kParked);
}

TEST_F(CourierPartlyTest, WhereNothingIsToBeSentNobodyAnswers) {
  sink->verdicts["nothing"] = Delivered{.nothing = true};
  make_for(Recognises::kNothing);
  for (std::uint64_t n = 1; n <= 2; ++n) post(n);
  run();
  answer("away");
  advance_to_next();
  summary->omitted_records = 3;
  answer("nothing");
  EXPECT_EQ(only_settled().ack.unreadable.records, 0u);
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().last_error, "it is away");
  EXPECT_EQ(status().last_success, WallTime{});
  EXPECT_EQ(status().sent_objects, 0u);
}

// Each second record is bad: what is sent in all is about what there is to send.
TEST_F(CourierPartlyTest, ManyRefusalsCostAboutWhatIsThere) {
  constexpr std::uint64_t kRecords = 1000;
  make_for(Recognises::kNothing);
  store.add_block(1, 1, std::vector<std::string>(kRecords, "x"));
  courier->claims().post(claim(1, 1, kRecords));
  run();
  std::uint64_t sent = 0;
  for (int i = 0; i < 3000 && !transport->sent.empty(); ++i) {
    const Ranges left = sink->left.back().empty() ? Ranges{range(1, kRecords)} : sink->left.back();
    sent += count_records(left);
    answer_even_is_bad(left);
  }
  const Settled settled = only_settled();
  EXPECT_EQ(settled.ack.dead.size(), kRecords / 2);
  EXPECT_EQ(settled.ack.unreadable.records, 0u);
  EXPECT_LE(sent, 5 * kRecords);
}

TEST_F(CourierPartlyTest, GoodOnesBehindManyBadOnesAreFoundFromTheEnd) {
  make_for(Recognises::kNothing);
  store.add_block(1, 1, std::vector<std::string>(130, "x"));
  courier->claims().post(claim(1, 1, 130));
  run();
  unsigned parked = 0;
  for (int i = 0; i < 500 && (!transport->sent.empty() || run() != kNever); ++i) {
    if (transport->sent.empty()) {
      ++parked;
      advance_to_next();
      continue;
    }
    const Ranges left = sink->left.back().empty() ? Ranges{range(1, 130)} : sink->left.back();
    answer_bad_up_to(30, left);
  }
  EXPECT_EQ(only_settled().ack.dead.size(), 30u);
  EXPECT_LE(parked, 4u);
}

TEST_F(CourierPartlyTest, OneBatchThatIsFilteredAloneAgainAndAgainIsHalved) {
  make_for(Recognises::kNothing);
  refuse_the_first_alone("filtered");
  EXPECT_EQ(halves, 1u);
}

TEST_F(CourierPartlyTest, OneRecordThatIsFilteredForAnHourIsADeadLetter) {
  make_for(Recognises::kNothing);
  refuse_the_first_alone("filtered", 40, 1);
  EXPECT_EQ(letters, 1u);
  EXPECT_EQ(halves, 0u);
}

TEST_F(CourierPartlyTest, OneRecordThatIsFilteredForAWhileIsKept) {
  make_for(Recognises::kNothing);
  refuse_the_first_alone("filtered", 8, 1);
  EXPECT_EQ(letters, 0u);
}

TEST_F(CourierPartlyTest, WhatNeedsAPersonWaitsHoweverOften) {
  make_for(Recognises::kNothing);
  refuse_the_first_alone("denied");
  EXPECT_EQ(halves, 0u);
}

TEST_F(CourierPartlyTest, AHalfThatMayHaveArrivedIsCounted) {
  sink->verdicts["large, in part"] = TooLarge{.reason = "one is bad", .maybe_arrived = true};
  for (const auto what : {Recognises::kNothing, Recognises::kRecords}) {
    make_for(what);
    post(1);
    run();
    answer("large, in part");
    EXPECT_EQ(take<Halve>().at(0).possible_duplicates, what == Recognises::kNothing ? 3u : 0u);
  }
}

}  // namespace
}  // namespace edgehose
