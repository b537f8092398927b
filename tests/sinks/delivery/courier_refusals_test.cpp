// What a destination refuses: halving, dead letters, parking for one reason.
#include "sinks/delivery/courier.h"

#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using State = CourierStatus::State;

TEST_F(CourierTest, TooLargeIsHalvedAndForgotten) {
  make();
  post(1);
  run();
  answer("large");
  const auto halves = take<Halve>();
  ASSERT_EQ(halves.size(), 1u);
  EXPECT_EQ(halves[0].claim, ClaimId{1});
  EXPECT_EQ(run(), kNever);
  EXPECT_EQ(status().queued, 0u);
  EXPECT_EQ(status().in_flight, 0u);
  EXPECT_EQ(status().last_success, WallTime{}) << "nothing was delivered";
}

TEST_F(CourierTest, WhatIsHalvedAndMayHaveArrivedIsCounted) {
  sink->verdicts["large, perhaps there"] =
      TooLarge{.reason = "the answer is too long", .maybe_arrived = true};
  for (const Recognises what : {Recognises::kNothing, Recognises::kRecords}) {
    make({.concurrency = 1, .recognises = what});
    post(1);
    run();
    answer("large, perhaps there");
    EXPECT_EQ(take<Halve>().at(0).possible_duplicates, what == Recognises::kNothing ? 3u : 0u);
  }
  make();
  post(1);
  run();
  answer("large, perhaps there");
  EXPECT_TRUE(take<Halve>().empty()) << "the keys of halves are others";
  EXPECT_EQ(status().state, State::kParked);
}

TEST_F(CourierTest, WhatTurnedOutTooLargeBeforeAnybodyWasAskedIsNoRecovery) {
  sink->verdicts["large, unsent"] = TooLarge{.reason = "more than 10 MiB", .unsent = true};
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 2; ++n) post(n);
  run();
  answer("away");
  advance_to_next();
  answer("large, unsent");
  EXPECT_EQ(take<Halve>().size(), 1u);
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().last_error, "it is away");
  ASSERT_EQ(transport->sent.size(), 1u) << "the next probe goes at once";
  answer("ok");
  EXPECT_EQ(status().state, State::kIdle);
}

// Its second record was one too many: the summary has only the first, and a block that is damaged.
TEST_F(CourierTest, WhatTurnedOutTooLargeBesideDamagedBlocksIsHalved) {
  sink->verdicts["large, unsent"] = TooLarge{.reason = "more than 10 MiB", .unsent = true};
  make({.concurrency = 1});
  summary->missing_records = 1;
  summary->encoded = {1, 10};
  post(1);
  run();
  answer("large, unsent");
  EXPECT_EQ(take<Halve>().size(), 1u);
}

TEST_F(CourierTest, ASingleRecordThatIsTooLargeGoesToTheDeadLetters) {
  make();
  store.add_block(1, 9, {"huge"});
  courier->claims().post(claim(1, 9, 9));
  run();
  answer("large");
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 1u);
  ASSERT_EQ(settled[0].ack.dead.size(), 1u);
  EXPECT_EQ(settled[0].ack.dead[0].sequence, Sequence{9});
  EXPECT_EQ(settled[0].ack.dead[0].body, "huge");
  EXPECT_EQ(settled[0].ack.dead[0].reason, "too large");
  EXPECT_EQ(status().last_success, WallTime{}) << "nothing was delivered";
}

TEST_F(CourierTest, RejectedRecordsAreDeadLetteredTheOthersDelivered) {
  make();
  post(1);
  run();
  answer("one bad");
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 1u);
  ASSERT_EQ(settled[0].ack.dead.size(), 1u);
  const DeadLetter& letter = settled[0].ack.dead[0];
  EXPECT_EQ(letter.sequence, Sequence{2});
  EXPECT_EQ(letter.body, "two");
  EXPECT_EQ(letter.reason, "bad date");
  EXPECT_EQ(letter.attempts, 1u);
  EXPECT_EQ(letter.given_up, clock.wall());
}

TEST_F(CourierTest, TenBatchesRefusedWholeForOneReasonPark) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (int i = 0; i < 10; ++i) answer("poison");
  EXPECT_EQ(take<Settled>().size(), 9u);
  EXPECT_EQ(status().state, State::kParked);
  advance_to_next();
  answer("poison");
  EXPECT_EQ(status().state, State::kParked) << "a probe that is refused keeps it parked";
  advance_to_next();
  answer("ok");
  while (!transport->sent.empty()) answer("poison");
  EXPECT_EQ(take<Settled>().size(), 3u) << "the count begins anew";
}

TEST_F(CourierTest, RefusalsThatDifferInIdsAndTimesAreForOneReason) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (int i = 0; i < 10; ++i) {
    sink->verdicts["answer"] =
        Rejected{{}, fmt::format("[doc-{}] does not fit its mapping, at 12:00:{:02}", i, i)};
    answer("answer");
  }
  EXPECT_EQ(take<Settled>().size(), 9u);
  EXPECT_EQ(status().state, State::kParked);
}

TEST_F(CourierTest, RefusalsOfOneKindAreForOneReasonWhateverTheWords) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 12; ++n) post(n);
  run();
  for (int i = 0; i < 10; ++i) {
    const std::string value(static_cast<std::size_t>(i) + 1, 'x');
    sink->verdicts["answer"] = Rejected{{}, "cannot parse " + value, "mapper_parsing_exception"};
    answer("answer");
  }
  EXPECT_EQ(status().state, State::kParked);
}

TEST_F(CourierTest, RefusalsForDifferentReasonsDoNotPark) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 20; ++n) post(n);
  run();
  for (int i = 0; i < 10; ++i) {
    answer("poison");
    answer("other poison");
  }
  EXPECT_EQ(take<Settled>().size(), 20u);
}

TEST_F(CourierTest, HeldBackWhileTheDeadLettersAreFull) {
  make({.concurrency = 1});
  courier->holds().post("the dead letters are full");
  post(1);
  EXPECT_EQ(run(), kNever);
  EXPECT_TRUE(transport->sent.empty());
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_EQ(status().last_error, "the dead letters are full");
  courier->holds().post("");
  run();
  EXPECT_EQ(transport->sent.size(), 1u);
}

TEST_F(CourierTest, ADestinationThatTakesNoSizeDoesNotDrainTheStream) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 12; ++n) {
    store.add_block(n, n, {"one"});
    courier->claims().post(claim(n, n, n));
  }
  run();
  for (int i = 0; i < 10; ++i) answer("large");
  EXPECT_EQ(take<Settled>().size(), 9u);
  EXPECT_EQ(status().state, State::kParked);
}

}  // namespace
}  // namespace edgehose
