// Replays of dead letters.
#include "sinks/delivery/courier.h"

#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using State = CourierStatus::State;

TEST_F(CourierTest, AReplayMakesRoomWhileTheDeadLettersAreFull) {
  make({.concurrency = 1});
  courier->holds().post("the dead letters are full");
  post(1);
  post_replay(2);
  run();
  ASSERT_EQ(transport->log, (std::vector<std::string>{"key-2"}));
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.claim, ClaimId{2});
  EXPECT_EQ(transport->log.size(), 1u) << "others still wait";
}

TEST_F(CourierTest, AReplayGoesWhenNothingElseCould) {
  make({.concurrency = 1});
  post_replay(1);
  post(2);
  post(3);
  run();
  answer("ok");
  answer("ok");
  EXPECT_EQ(transport->log, (std::vector<std::string>{"key-2", "key-3", "key-1"}));
}

TEST_F(CourierTest, AReplayProbesWhereThereIsNothingElse) {
  make({.concurrency = 1});
  post_replay(1);
  run();
  answer("away");
  advance_to_next();
  EXPECT_EQ(transport->log.size(), 2u);
}

TEST_F(CourierTest, WhatARefusedReplayHeldStaysWithItsNumber) {
  make({.concurrency = 1});
  post_replay(1);
  run();
  answer("one bad");
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 1u);
  ASSERT_EQ(settled[0].ack.dead.size(), 1u);
  EXPECT_EQ(settled[0].ack.dead[0].id, 12u);
  EXPECT_EQ(settled[0].ack.dead[0].reason, "bad date");
  EXPECT_EQ(settled[0].ack.dead[0].attempts, 1u);
}

TEST_F(CourierTest, ReplaysThatAreRefusedDoNotParkTheSink) {
  make({.concurrency = 1});
  for (std::uint64_t n = 1; n <= 2 * std::uint64_t{Courier::kRefusedInARow}; ++n) {
    post_replay(n);
    run();
    answer("poison");
  }
  EXPECT_EQ(take<Settled>().size(), 2 * Courier::kRefusedInARow);
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierTest, AReplayOfWhichNothingIsLeftIsSettledUnsent) {
  make({.concurrency = 1});
  body_error = Error{ErrorCode::kNotFound, 0, "nothing is there any more"};
  post_replay(1);
  run();
  EXPECT_TRUE(transport->sent.empty());
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_EQ(status().state, State::kIdle);
}

}  // namespace
}  // namespace edgehose
