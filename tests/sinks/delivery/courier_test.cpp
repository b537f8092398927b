#include "sinks/delivery/courier.h"

#include <gmock/gmock.h>

#include "sinks/delivery/courier_thread.h"
#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using State = CourierStatus::State;

TEST_F(CourierTest, SendsOldestFirstWithinItsWindow) {
  make({.concurrency = 2});
  for (const std::uint64_t n : {3, 1, 2}) post(n);
  run();
  EXPECT_THAT(transport->log, ElementsAre("key-1", "key-2"));
  EXPECT_EQ(status().state, State::kSending);
  answer("ok", 1);  // the second first
  EXPECT_THAT(transport->log, ElementsAre("key-1", "key-2", "key-3"));
  const auto settled = take<Settled>();
  ASSERT_EQ(settled.size(), 1u);
  EXPECT_EQ(settled[0].ack.claim, ClaimId{2});
  EXPECT_EQ(settled[0].sink, SinkId{1});
  EXPECT_EQ(settled[0].sent_bytes, 100u);
  EXPECT_TRUE(settled[0].ack.dead.empty());
}

TEST_F(CourierTest, IdleAsksForNothing) {
  make();
  EXPECT_EQ(run(), kNever);
  EXPECT_EQ(status().state, State::kIdle);
}

TEST_F(CourierTest, AFailureMakesAllItsRequestsWait) {
  make({.concurrency = 2});
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  answer("away");
  EXPECT_EQ(transport->log.size(), 2u) << "the third must wait as well";
  answer("away");  // was under way: the sink's failure is not counted twice
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().last_error, "it is away");
  EXPECT_LE(run() - clock.now(), 1s);
  advance_to_next();
  EXPECT_EQ(transport->sent.size(), 1u) << "one request until the sink works";
  answer("ok");
  EXPECT_EQ(transport->sent.size(), 2u);
  EXPECT_TRUE(status().last_error.empty());
}

TEST_F(CourierTest, AttemptsThatFailInARowAreCountedUntilOneIsAnswered) {
  make({.concurrency = 2});
  for (const std::uint64_t n : {1, 2}) post(n);
  run();
  answer("away");
  answer("away");  // was under way
  EXPECT_EQ(status().failed_in_a_row, 1u);
  advance_to_next();
  answer("away");
  EXPECT_EQ(status().failed_in_a_row, 2u);
  advance_to_next();
  EXPECT_EQ(status().failed_in_a_row, 2u) << "it is being tried";
  answer("ok");
  EXPECT_EQ(status().failed_in_a_row, 0u);
}

TEST_F(CourierTest, ProbesOfAParkedSinkAreFailedAttemptsToo) {
  make();
  post(1);
  run();
  answer("denied");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_EQ(status().failed_in_a_row, 1u);
  advance_to_next();
  answer("denied");
  EXPECT_EQ(status().failed_in_a_row, 2u);
  advance_to_next();
  answer("away");
  EXPECT_EQ(status().state, State::kBackingOff);
  EXPECT_EQ(status().failed_in_a_row, 3u) << "no sign of health";
  EXPECT_LE(run() - clock.now(), 1s) << "back-off begins anew";
  advance_to_next();
  answer("ok");
  EXPECT_EQ(status().failed_in_a_row, 0u);
}

TEST_F(CourierTest, WhatIsSentAndWhatWaitsAreToldApart) {
  make({.concurrency = 2});
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  EXPECT_EQ(status().state, State::kSending);
  EXPECT_EQ(status().in_flight, 2u);
  EXPECT_EQ(status().queued, 1u);
  answer("away");
  answer("away");
  EXPECT_EQ(status().in_flight, 0u);
  EXPECT_EQ(status().queued, 3u);
}

TEST_F(CourierTest, AnErrorThatIsOverIsKeptAsPast) {
  make({.concurrency = 1});
  post(1);
  run();
  answer("away");
  EXPECT_TRUE(status().past_error.empty()) << "it is not over";
  advance_to_next();
  answer("ok");
  EXPECT_TRUE(status().last_error.empty());
  EXPECT_EQ(status().past_error, "it is away");
  EXPECT_EQ(status().past_error_at, clock.wall());

  courier->holds().post("the dead letters are full");
  run();
  courier->holds().post("");
  run();
  EXPECT_EQ(status().past_error, "the dead letters are full");
}

TEST_F(CourierTest, TheErrorOfABatchThatFailedAloneIsKeptAsPast) {
  make({.concurrency = 1});
  for (const std::uint64_t n : {1, 2}) post(n);
  run();
  answer("away");
  advance_to_next();
  answer("ok");  // the second
  answer("lost");
  EXPECT_EQ(status().last_error, "no answer");
  EXPECT_EQ(status().state, State::kBackingOff);
  advance_to_next();
  answer("ok");
  EXPECT_EQ(status().past_error, "no answer");
  EXPECT_TRUE(status().last_error.empty());
}

TEST_F(CourierTest, BacksOffWithFullJitterAndNeverGivesUp) {
  make({.retry = {1s, 5min}, .concurrency = 1, .seed = 5});
  post(1);
  run();
  Duration longest{};
  for (std::uint64_t failures = 1; failures <= 500; ++failures) {
    answer("away");
    const Duration pause = advance_to_next();
    ASSERT_LE(pause, backoff_ceiling({1s, 5min}, failures));
    longest = std::max(longest, pause);
    ASSERT_EQ(transport->sent.size(), 1u);
    ASSERT_EQ(transport->sent[0].key, "key-1");
  }
  EXPECT_GT(longest, 4min);
  EXPECT_TRUE(take<Settled>().empty());
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_EQ(status().retries, 500u);
}

TEST_F(CourierTest, ObeysTheServersWishUpToAnHour) {
  make({.retry = {1s, 5min}, .concurrency = 1});
  post(1);
  run();
  answer("busy");
  Duration pause = advance_to_next();
  EXPECT_GE(pause, 30s);
  EXPECT_LE(pause, 31s);
  answer("busy for a day");
  pause = advance_to_next();
  EXPECT_GE(pause, 1h);
  EXPECT_LE(pause, 1h + 2s);
}

TEST_F(CourierTest, ObeysTheServersWishOfWhatWasUnderWayWhenItFailed) {
  make({.retry = {1s, 5min}, .concurrency = 2});
  for (const std::uint64_t n : {1, 2}) post(n);
  run();
  answer("away");
  answer("busy");
  EXPECT_GE(advance_to_next(), 30s);
}

TEST_F(CourierTest, OneClaimThatFailsWhileOthersAreDeliveredWaitsAlone) {
  make({.retry = {1s, 5min}, .concurrency = 1});
  for (const std::uint64_t n : {1, 2, 3, 4}) post(n);
  run();
  answer("away");     // 1
  advance_to_next();  // has had its turn: 2 is tried
  EXPECT_EQ(transport->sent.at(0).key, "key-2");
  answer("ok");
  EXPECT_EQ(transport->sent.at(0).key, "key-1");
  answer("away");
  EXPECT_EQ(transport->sent.at(0).key, "key-3") << "no pause for the others";
  answer("ok");
  EXPECT_EQ(transport->sent.at(0).key, "key-4");
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 3u);
  EXPECT_LE(advance_to_next(), 1s);
  EXPECT_EQ(transport->sent.at(0).key, "key-1");
  answer("ok");
  EXPECT_EQ(status().queued, 0u);
  EXPECT_EQ(status().in_flight, 0u);
}

TEST_F(CourierTest, ParkProbesSlowlyAndResumesByItself) {
  make({.concurrency = 2});
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  answer("denied");
  answer("denied");
  EXPECT_EQ(status().state, State::kParked);
  EXPECT_EQ(status().last_error, "access denied");
  for (const Duration expected : {60s, 120s, 240s, 300s, 300s}) {
    const Duration pause = advance_to_next();
    EXPECT_GE(pause, expected / 2);
    EXPECT_LE(pause, expected);
    ASSERT_EQ(transport->sent.size(), 1u);
    answer("denied");
  }
  advance_to_next();
  answer("ok");
  EXPECT_EQ(transport->sent.size(), 2u);
  EXPECT_EQ(status().state, State::kSending);
  EXPECT_EQ(status().last_success, clock.wall());
  EXPECT_EQ(take<Settled>().size(), 1u);
}

TEST_F(CourierTest, ANoteThatAPersonClearedBeforeTheFirstProbeIsSeen) {
  make({.concurrency = 1});
  post(1);
  run();
  answer("learn");  // the store is not seen to have it
  post(2);
  run();
  answer("denied");
  courier->note_changed();
  advance_to_next();
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].note, "");
  outcomes.take();
}

TEST_F(CourierTest, ARetryThatIsALessonIsAskedAnewWithTheNote) {
  make({.concurrency = 1});
  post(1);
  run();
  answer("elsewhere");
  EXPECT_EQ(take<Learned>().at(0).note, "stick-1");
  advance_to_next();
  ASSERT_EQ(transport->sent.size(), 1u);
  EXPECT_EQ(transport->sent[0].key, "key-1");
  EXPECT_EQ(transport->sent[0].note, "stick-1");
}

TEST_F(CourierTest, LearnsANoteAndUsesItAtOnce) {
  make({.concurrency = 1});
  post(1);
  post(2);
  run();
  EXPECT_EQ(transport->sent[0].note, "");
  transport->answer(0, "learn");
  run();
  const std::vector<CourierEvent> events = outcomes.take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<Learned>(events[0]).note, "stick-1");
  EXPECT_EQ(transport->sent[0].note, "stick-1");
  EXPECT_THAT(sink->size_limits, testing::ElementsAre(0, 500)) << "its body is made by it";
}

TEST_F(CourierTest, AProbeSeesANoteThatAPersonCleared) {
  store.note = "stick-0";
  make({.concurrency = 1});
  post(1);
  run();
  EXPECT_EQ(transport->sent[0].note, "stick-0");
  answer("denied");
  store.note = "";
  advance_to_next();
  EXPECT_EQ(transport->sent[0].note, "");
}

TEST_F(CourierTest, ALearnedNoteIsNotForgottenBeforeItIsPersisted) {
  make({.concurrency = 1});
  post(1);
  post(2);
  run();
  answer("learn");
  answer("denied");
  advance_to_next();  // the store has not got it yet
  EXPECT_EQ(transport->sent[0].note, "stick-1");
}

TEST_F(CourierTest, PossibleDuplicatesAreCountedWhereTheSinkCannotTell) {
  for (const Recognises what : {Recognises::kNothing, Recognises::kKey, Recognises::kRecords}) {
    make({.concurrency = 1, .recognises = what});
    post(1);
    run();
    answer("lost");
    advance_to_next();
    answer("ok");
    const auto settled = take<Settled>();
    ASSERT_EQ(settled.size(), 1u);
    EXPECT_EQ(settled[0].ack.possible_duplicates, what == Recognises::kNothing ? 3u : 0u);
  }
}

TEST_F(CourierTest, ClearRefusalsAreNoDuplicates) {
  make({.concurrency = 1, .recognises = Recognises::kNothing});
  post(1);
  run();
  answer("away");
  advance_to_next();
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.possible_duplicates, 0u);
}

TEST_F(CourierTest, UnreadableRecordsAreToldAndTheOthersDelivered) {
  make();
  summary->missing_records = 1;
  summary->encoded = {2, 20};
  post(1);
  run();
  answer("ok");
  const auto settled = take<Settled>();
  EXPECT_EQ(settled.at(0).ack.unreadable, (Counter{1, 10}));
}

TEST_F(CourierTest, AWhollyUnreadableClaimIsSettledToo) {
  make();
  summary->missing_records = 3;
  summary->encoded = {};
  post(1);
  run();
  answer("ok");
  EXPECT_EQ(take<Settled>().at(0).ack.unreadable.records, 3u);
}

TEST_F(CourierTest, ABufferThatCannotBeReadIsWaitedFor) {
  make({.concurrency = 1});
  store.broken = true;
  post(1);
  run();
  EXPECT_EQ(status().state, State::kBackingOff);
  store.broken = false;
  advance_to_next();
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
}

TEST_F(CourierTest, ABodyThatCannotBeMadeParks) {
  make();
  body_error = Error{ErrorCode::kInvalid, 0, "the recipient is wrong"};
  post(1);
  run();
  EXPECT_EQ(status().state, State::kParked);
  body_error.reset();
  advance_to_next();
  EXPECT_EQ(transport->sent.size(), 1u);
}

TEST_F(CourierTest, AClaimThatComesTwiceIsSentOnce) {
  make();
  post(1);
  post(1);
  run();
  EXPECT_EQ(transport->log.size(), 1u);
}

TEST_F(CourierTest, StopAbandonsAndDoesNothingMore) {
  make();
  post(1);
  run();
  courier->stop();
  EXPECT_TRUE(transport->abandoned);
  post(2);
  EXPECT_EQ(courier->step(), kNever);
  EXPECT_EQ(transport->log.size(), 1u);
  EXPECT_TRUE(outcomes.take().empty());
}

TEST_F(CourierTest, AThreadRunsItAndEndsQuickly) {
  const auto real = make_system_clock();
  auto owned = std::make_unique<ScriptedTransport>();
  ScriptedTransport* const scripted = owned.get();
  CourierThread thread(std::make_unique<Courier>(
                           sink, std::move(owned),
                           [this](const Batch&) -> Result<std::shared_ptr<ObjectBody>> {
                             return std::make_shared<EmptyBody>(summary);
                           },
                           store, *real, outcomes, CourierOptions{}),
                       *real);
  store.add_block(1, 1, {"one"});
  thread.courier().claims().post(claim(1));
  while (thread.courier().status().read().state != State::kSending) std::this_thread::yield();
  thread.request_stop();
  EXPECT_TRUE(thread.wait_stopped(10s));
  EXPECT_TRUE(scripted->abandoned);
}

}  // namespace
}  // namespace edgehose
