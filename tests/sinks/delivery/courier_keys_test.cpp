// Keys that a destination cannot take, and claims that are cut anew.
#include "sinks/delivery/courier.h"

#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using State = CourierStatus::State;

TEST_F(CourierTest, AKeyThatIsRefusedIsReplacedByWhatTheSinkLearns) {
  make({.concurrency = 1});
  post(1);
  run();
  answer("bad name, learn");
  const std::vector<CourierEvent> events = outcomes.take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<Learned>(events[0]).note, "portable ");
  EXPECT_EQ(std::get<Rekey>(events[1]).claim, ClaimId{1});
  EXPECT_EQ(std::get<Rekey>(events[1]).key, "portable key-1");
  EXPECT_EQ(status().in_flight + status().queued, 0u);
}

TEST_F(CourierTest, AKeyOfAnotherConfigIsReplacedAndNothingIsLearned) {
  sink->key_prefix = "new/";
  make({.concurrency = 1});
  post(1);
  run();
  answer("bad name, learn");
  EXPECT_EQ(take<Rekey>().at(0).key, "new/key-1");
}

TEST_F(CourierTest, AKeyWithoutAnotherParksAndDoesNotHoldTheOthersUp) {
  make({.concurrency = 1});
  post(1);
  run();
  answer("bad name");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_THAT(status().last_error, ::testing::HasSubstr("key-1 can never be the name"));
  EXPECT_THAT(status().last_error, ::testing::HasSubstr("':' in it"));
  EXPECT_THAT(status().last_error, ::testing::HasSubstr("prefix"));
  post(2);
  advance_to_next();  // the one that was not tried yet
  answer("ok");
  answer("bad name");
  EXPECT_EQ(status().state, State::kBackingOff) << "it waits alone";
  EXPECT_EQ(status().failing_alone, 1u);
  EXPECT_THAT(status().last_error, ::testing::HasSubstr("key-1 can never"));
  for (const std::uint64_t n : {3, 4}) {
    post(n);
    run();
    answer("ok");
  }
  EXPECT_EQ(take<Settled>().size(), 3u);
}

// Under another key it would be a second object.
TEST_F(CourierTest, WhatMayHaveArrivedIsNotCutAnewWhereKeysTellRepetitions) {
  for (const char* refusal : {"bad name, learn", "large", "poison"}) {
    for (const Recognises what : {Recognises::kNothing, Recognises::kKey, Recognises::kRecords}) {
      make({.concurrency = 1, .recognises = what});
      post(1);
      run();
      answer("lost");
      advance_to_next();
      answer(refusal);
      const bool kept = what == Recognises::kKey;
      EXPECT_EQ(status().in_flight + status().queued, kept ? 1u : 0u) << refusal;
      for (const CourierEvent& event : outcomes.take())
        if (const auto* halve = std::get_if<Halve>(&event)) {
          EXPECT_EQ(halve->possible_duplicates, what == Recognises::kNothing ? 3u : 0u);
        }
    }
  }
}

TEST_F(CourierTest, WhatIsSeenNotToHaveArrivedIsCutAnew) {
  sink->key_prefix = "new/";
  for (const char* refusal : {"bad name, absent", "large, absent", "poison, absent"}) {
    make({.concurrency = 1});
    post(1);
    run();
    answer("lost");
    advance_to_next();
    answer(refusal);
    EXPECT_EQ(status().in_flight + status().queued, 0u) << refusal;
  }
  EXPECT_EQ(outcomes.take().size(), 3u);
}

TEST_F(CourierTest, OneRecordThatMayHaveArrivedIsNoDeadLetter) {
  make({.concurrency = 1});
  store.add_block(1, 1, {"one"});
  courier->claims().post(claim(1, 1, 1));
  run();
  answer("lost");
  advance_to_next();
  answer("large");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_TRUE(outcomes.take().empty());
}

TEST_F(CourierTest, ASinkIsToldWhatIsKnownOfEarlierAttempts) {
  sink->verdicts["wrong"] = Retry{"other bytes", {}, true, false, true};
  make({.concurrency = 1});
  post(1);
  run();
  answer("away");
  advance_to_next();
  answer("wrong");
  advance_to_next();
  answer("away");
  advance_to_next();
  EXPECT_EQ(sink->maybe_arrived, (std::vector<bool>{false, false, true, true}));
  EXPECT_EQ(sink->wrong_there, (std::vector<bool>{false, false, true, true}));
  make({.concurrency = 1});
  Claim resumed = claim(1);
  resumed.resumed = true;
  courier->claims().post(resumed);
  run();
  EXPECT_TRUE(sink->maybe_arrived.back());
}

TEST_F(CourierTest, AClaimOfAnEarlierLifeMayHaveArrived) {
  make({.concurrency = 1, .recognises = Recognises::kNothing});
  Claim resumed = claim(1);
  resumed.resumed = true;
  courier->claims().post(resumed);
  run();
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates, 3u);
}

}  // namespace
}  // namespace edgehose
