// What a person asks of a running intake: replays, confirmations, forgetting.
#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

class OperatorTest : public IntakeTest {
 protected:
  // Ten records, of which the sink refused these for good.
  void refuse(std::vector<std::uint64_t> sequences) {
    start_with_a_ripe_batch();
    const Claim claim = claims_.take().at(0);
    Settled settled{claim.lane.sink, {claim.id, {}, 0, {}}, 1};
    for (const std::uint64_t sequence : sequences) {
      DeadLetter letter;
      letter.sequence = Sequence(sequence);
      letter.attempts = 1;
      letter.reason = "bad date";
      letter.body = std::string(99, 'x');
      settled.ack.dead.push_back(letter);
    }
    intake_->inbox().post(settled);
    run();
    clock_.advance(seconds(60));
    run();
    expect_equation(sequences.size());
  }
  Result<ChangeReport> ask(const ControlChange& change) {
    intake_->changes().post({7, change});
    run();
    auto outcomes = outcomes_.take();
    EH_CHECK(outcomes.size() == 1 && outcomes[0].ticket == 7);
    return outcomes[0].report;
  }
  void settle_replay(const Claim& claim, std::vector<DeadLetter> refused = {}) {
    Settled settled{claim.lane.sink, {claim.id, std::move(refused), 0, {}}, 1};
    intake_->inbox().post(settled);
    run();
  }
  void expect_equation(std::uint64_t dead) {
    EXPECT_EQ(lane().committed, (Counter{10, 1000}));
    EXPECT_EQ(lane().buffered(), Counter{});
    EXPECT_EQ(lane().dead_lettered, (Counter{dead, 100 * dead}));
    EXPECT_EQ(lane().delivered, (Counter{10 - dead, 1000 - 100 * dead}));
  }
};

TEST_F(OperatorTest, AReplayIsDeliveredUnderAKeyOfItsOwnAndMovesTheCounters) {
  refuse({3, 5, 9});
  const auto asked = ask(ReplayLetters{});
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->text, "3 records will be delivered again, in 1 batch.");
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_TRUE(claims[0].replay());
  EXPECT_TRUE(claims[0].key.starts_with("app-3-9-replay-")) << claims[0].key;
  EXPECT_EQ(claims[0].rendering, "r");
  expect_equation(3);
  settle_replay(claims[0]);
  expect_equation(0);
  EXPECT_EQ(store_->usage().dead_letters, 0u);
  EXPECT_TRUE(store_->replays()->empty());
}

TEST_F(OperatorTest, WhatWasRefusedIsCountedOnceWhateverBecomesOfIt) {
  refuse({3, 5});
  const auto refused = [&] {
    clock_.advance(seconds(2));
    run();
    return intake_->status().read().refused;
  };
  const std::map<std::string, Counter> both{{"archive", {2, 200}}};
  EXPECT_EQ(refused(), both);
  ASSERT_TRUE(ask(ReplayLetters{{{1}, ""}}));
  const Claim replay = claims_.take().at(0);
  DeadLetter again;
  again.id = 1;
  again.attempts = 1;
  again.reason = "again";
  settle_replay(replay, {again});
  EXPECT_EQ(refused(), both);
  ASSERT_TRUE(ask(PurgeLetters{}));
  EXPECT_EQ(refused(), both);
}

TEST_F(OperatorTest, AReplayThatACrashInterruptsComesAgainUnderItsKey) {
  refuse({3, 5});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim first = claims_.take().at(0);
  crash();
  start();
  const std::vector<Claim> again = claims_.take();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].key, first.key);
  EXPECT_EQ(again[0].letters, first.letters);
  settle_replay(again[0]);
  crash();
  start();
  EXPECT_TRUE(claims_.take().empty());
  expect_equation(0);
}

TEST_F(OperatorTest, WhatIsAskedForWithoutAnAgentBeginsAtTheNextStart) {
  refuse({3});
  crash();
  {
    auto store = Store::open(store_options_, clock_);
    ASSERT_TRUE(store);
    const ChangeContext context{false, [](auto) { return true; }, [](auto) { return true; },
                                nullptr};
    ASSERT_TRUE(apply_change(**store, ReplayLetters{}, context));
    ASSERT_TRUE((*store)->close());
  }
  start();
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_TRUE(claims[0].replay());
}

TEST_F(OperatorTest, TheSameRecordsHaveTheSameKeyAndOthersAnother) {
  refuse({3, 4, 5});
  ASSERT_TRUE(ask(ReplayLetters{{{1, 3}, ""}}));
  const Claim ends = claims_.take().at(0);
  const auto all_refused = [](const Claim& claim) {
    std::vector<DeadLetter> refused(claim.letters.size());
    for (std::size_t i = 0; i < refused.size(); ++i) {
      refused[i].id = claim.letters[i];
      refused[i].attempts = 1;
      refused[i].reason = "again";
    }
    return refused;
  };
  settle_replay(ends, all_refused(ends));
  expect_equation(3);
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim all = claims_.take().at(0);
  EXPECT_EQ(all.first, ends.first);
  EXPECT_EQ(all.last, ends.last);
  EXPECT_NE(all.key, ends.key);
  settle_replay(all, all_refused(all));
  ASSERT_TRUE(ask(ReplayLetters{{{3, 1}, ""}}));
  EXPECT_EQ(claims_.take().at(0).key, ends.key);
}

TEST_F(OperatorTest, OneReplayAtATimeUnderTheBatchLimitBesideOrdinaryClaims) {
  batch_.max_size = 250;  // two letters
  refuse({1, 2, 3, 4, 5});
  claims_.take();
  ASSERT_TRUE(ask(ReplayLetters{}));
  lines(10);
  run();
  clock_.advance(seconds(60));
  run();
  std::set<std::uint64_t> seen;
  bool ordinary = false;
  for (int round = 0; round < 20; ++round) {
    unsigned replays = 0;
    for (const Claim& claim : claims_.take()) {
      if (!claim.replay()) {
        ordinary = true;
        continue;  // a window that is full of these holds no replay up
      }
      ++replays;
      EXPECT_LE(claim.size.bytes, 250u);
      for (const std::uint64_t id : claim.letters) EXPECT_TRUE(seen.insert(id).second);
      settle_replay(claim);
    }
    EXPECT_LE(replays, 1u);
  }
  EXPECT_TRUE(ordinary);
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(store_->usage().dead_letters, 0u);
}

TEST_F(OperatorTest, TooLargeAReplayIsHalved) {
  refuse({1, 2, 3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim whole = claims_.take().at(0);
  intake_->inbox().post(Halve{whole.lane.sink, whole.id, 0});
  run();
  const std::vector<Claim> half = claims_.take();
  ASSERT_EQ(half.size(), 1u);
  EXPECT_EQ(half[0].letters.size(), 1u);
  settle_replay(half[0]);
  const std::vector<Claim> rest = claims_.take();
  ASSERT_EQ(rest.size(), 1u);
  settle_replay(rest[0]);
  expect_equation(0);
}

TEST_F(OperatorTest, AReplayThatWasRetiredMeanwhileStopsNothing) {
  refuse({1, 2, 3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim whole = claims_.take().at(0);
  {
    const auto transaction = store_->begin();
    ASSERT_TRUE((*transaction)->acknowledge({.claim = whole.id, .dead = {}, .unreadable = {}}));
    ASSERT_TRUE((*transaction)->commit());
  }
  intake_->inbox().post(Halve{whole.lane.sink, whole.id, 0});
  intake_->inbox().post(Rekey{whole.lane.sink, whole.id, "other"});
  run();
  EXPECT_EQ(intake_->status().read().problem, "");
  lines(10);
  clock_.advance(minutes(5));
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, AReplayWhoseKeyIsRefusedIsRenamed) {
  refuse({3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Rekey{claim.lane.sink, claim.id, "safe"});
  run();
  const Claim renamed = claims_.take().at(0);
  EXPECT_EQ(renamed.key, "safe");
  EXPECT_EQ(renamed.letters, claim.letters);
  settle_replay(renamed);
  expect_equation(0);
}

TEST_F(OperatorTest, OnceIsNotCompleteBeforeItsReplays) {
  refuse({3});
  crash();
  options_.flush = true;
  start();
  ASSERT_TRUE(ask(ReplayLetters{}));
  EXPECT_FALSE(intake_->complete());
  settle_replay(claims_.take().at(0));
  EXPECT_TRUE(intake_->complete());
}

TEST_F(OperatorTest, ConfirmClearsTheNoteAndPurgeTheLetters) {
  refuse({3, 5});
  intake_->inbox().post(Learned{lane().key.sink, "stick-1"});
  run();
  EXPECT_EQ(store_->sinks()->at(0).note, "stick-1");
  EXPECT_EQ(ask(ConfirmSink{"archive"})->text, "Confirmed.");
  EXPECT_EQ(store_->sinks()->at(0).note, "");
  EXPECT_EQ(ask(ConfirmSink{"archiv"}).error().message,
            "the buffer knows no sink \"archiv\"; did you mean \"archive\"?");
  EXPECT_EQ(ask(PurgeLetters{{{1}, ""}})->text, "1 dead letter deleted.");
  EXPECT_EQ(ask(PurgeLetters{{{1}, ""}}).error().message, "there is no dead letter 1");
  EXPECT_EQ(ask(PurgeLetters{})->text, "1 dead letter deleted.");
  EXPECT_EQ(lane().dropped[static_cast<std::size_t>(DropReason::kForgotten)], (Counter{2, 200}));
  EXPECT_EQ(lane().buffered(), Counter{});
}

TEST_F(OperatorTest, WhatIsInUseIsNotForgottenAndWhatIsNotIs) {
  sink_name_ = "gone";
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  crash();
  sink_name_ = "archive";
  start();
  EXPECT_EQ(ask(ForgetSink{"archive"}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(ask(ForgetSource{"app"}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(ask(ForgetSink{"gone"})->text, "Forgotten.");
  EXPECT_EQ(store_->lanes()->size(), 1u);
  lines(10);
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, ASourceThatIsTakenForASinkIsNamedAsOne) {
  start();
  EXPECT_EQ(ask(ConfirmSink{"app"}).error().message, "app is a source, not a sink");
  EXPECT_EQ(ask(ForgetLane{"app", "other"}).error().message, "app is a source, not a sink");
  EXPECT_EQ(ask(ForgetLane{"archive", "archive"}).error().message,
            "archive is a sink, not a source");
  EXPECT_EQ(ask(ForgetSink{"app"}).error().message,
            "app is a source, not a sink; to forget it: edgehose buffer forget --source app");
  EXPECT_EQ(ask(ForgetSource{"archive"}).error().message,
            "archive is a sink, not a source; to forget it: edgehose buffer forget archive");
}

TEST_F(OperatorTest, ASourceWithoutConfigIsForgottenBesideTheAgent) {
  start();
  {
    const SourceId old = store_->source_id("old");
    const auto transaction = store_->begin();
    BlockBuilder builder(old);
    NewRecord record;
    record.body = "left behind";
    builder.append(record);
    ASSERT_TRUE((*transaction)->append(builder.take()));
    ASSERT_TRUE((*transaction)->add_lane({store_->sink_id("archive"), old}, {}));
    ASSERT_TRUE((*transaction)->commit());
  }
  crash();
  batch_.max_age = minutes(5);
  start();
  EXPECT_EQ(ask(ForgetSource{"old"})->text, "Forgotten.");
  batch_.max_age = seconds(5);
  lines(10);
  EXPECT_EQ(deliver_all(), 0u) << "young: only what was forgotten would be ripe";
  clock_.advance(minutes(5));
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, PositionsOutOfReachGo) {
  refuse({});
  {
    const auto transaction = store_->begin();
    FileState far;
    far.path = "/elsewhere/log";
    ASSERT_TRUE((*transaction)->put_file(FileId{2}, far));
    ASSERT_TRUE((*transaction)->commit());
  }
  EXPECT_EQ(ask(ForgetPositions{})->text, "1 position forgotten.");
  EXPECT_TRUE(*store_->file(FileId{1}));
  EXPECT_FALSE(*store_->file(FileId{2}));
}

TEST_F(OperatorTest, WhatASinkDoesNotTakeAnyMoreIsForgottenOfItAlone) {
  batch_.max_age = minutes(5);
  start();
  lines(10);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(ask(ForgetLane{"archive", "app"}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(ask(ForgetLane{"archive", "ap"}).error().code, ErrorCode::kNotFound);
  crash();
  inputs_ = {"other"};
  start();
  const auto report = ask(ForgetLane{"archive", "app"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->text,
            "Forgotten: 10 records (1000 B) of source app will not be delivered by sink archive.");
  EXPECT_EQ(report->records, 10u);
  EXPECT_TRUE(store_->lanes()->empty());
  EXPECT_EQ(store_->sinks()->size(), 1u);
  EXPECT_EQ(ask(ForgetLane{"archive", "app"}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace edgehose
