// Dead letters that are delivered again: nothing leaves them before it was acknowledged, and the
// lane's equation holds at every step, across every restart.
#include <algorithm>
#include <cstddef>
#include <fstream>

#include "buffer/environment_check.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb_pages.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

class ReplayTest : public StoreTest {
 protected:
  // Ten records of one source: 2, 5, 8 and 9 refused, the others delivered.
  void SetUp() override {
    open();
    source_ = store_->source_id("app");
    key_ = {store_->sink_id("search"), source_};
    append(block_of(source_, 10));
    add_lane(key_);
    const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
    Acknowledgement ack{.claim = claim.id, .dead = {}, .unreadable = {}};
    for (const std::uint64_t sequence : {8, 2, 5, 9}) {
      DeadLetter letter;
      letter.sequence = Sequence(sequence);
      letter.time = WallTime(static_cast<std::int64_t>(sequence));
      letter.attempts = 1;
      letter.reason = "bad date";
      letter.body = std::string(20, 'x');
      ack.dead.push_back(letter);
    }
    const auto txn = begin();
    ASSERT_TRUE(txn->acknowledge(ack));
    ASSERT_TRUE(txn->commit());
    EXPECT_EQ(lane(key_).dead_lettered, (Counter{4, 84}));
  }
  Claim replay(std::vector<std::uint64_t> ids, bool begun = true) {
    const auto txn = begin();
    auto asked = txn->replay(std::move(ids));
    EXPECT_TRUE(asked) << asked.error().message;
    if (asked && begun) asked = txn->begin_replay(asked->id, "key", "rendering");
    EXPECT_TRUE(asked && txn->commit());
    return asked.value_or(Claim{});
  }
  void settle(ClaimId id, std::vector<DeadLetter> refused = {}) {
    const auto txn = begin();
    const Status settled =
        txn->acknowledge({.claim = id, .dead = std::move(refused), .unreadable = {}});
    EXPECT_TRUE(settled) << settled.error().message;
    EXPECT_TRUE(txn->commit());
    expect_equation();
  }
  // Everything of this lane was claimed, so nothing is buffered.
  void expect_equation() {
    const LaneState state = lane(key_);
    EXPECT_EQ(state.committed, (Counter{10, 210}));
    EXPECT_EQ(state.buffered(), Counter{});
    std::uint64_t held = 0;
    EXPECT_TRUE(store_->for_each_dead_letter([&](const DeadLetter&) { return ++held > 0; }));
    EXPECT_EQ(held, state.dead_lettered.records);
    EXPECT_EQ(held, store_->usage().dead_letters);
  }
  std::vector<Claim> replays() { return *store_->replays(); }

  SourceId source_;
  LaneKey key_;
};

// They may be most of what a buffer holds, and each start checks it.
TEST_F(ReplayTest, ACheckHandsLettersBackOfADamagedBufferAlone) {
  store_.reset();
  const auto letters_of = [&](const EnvironmentCheck& check) {
    return std::ranges::count_if(check.entries, [](const auto& entry) {
      return entry.first.starts_with(keyspace::kDeadLetterPrefix);
    });
  };
  const auto sound = check_environment(environment(), options_);
  ASSERT_TRUE(sound && sound->sound);
  EXPECT_GT(sound->entries.size(), 0u);
  EXPECT_EQ(letters_of(*sound), 0);
  std::fstream file(environment(), std::ios::in | std::ios::out | std::ios::binary);
  for (const std::size_t meta : {std::size_t{0}, lmdb::kPageBytes}) {
    file.seekp(static_cast<long>(meta + offsetof(lmdb::MetaPage, main) +
                                 offsetof(lmdb::DatabaseRecord, entries)));
    file.put(99);  // how many entries there are
  }
  file.close();
  const auto damaged = check_environment(environment(), options_);
  ASSERT_TRUE(damaged);
  EXPECT_FALSE(damaged->sound);
  EXPECT_EQ(letters_of(*damaged), 4);
}

TEST_F(ReplayTest, WhatWasAskedForSurvivesARestartAndIsStillADeadLetter) {
  const Claim asked = replay({1, 2, 3, 4}, false);
  EXPECT_EQ(asked.letters, (std::vector<std::uint64_t>{2, 3, 1, 4})) << "by sequence";
  EXPECT_EQ(asked.first, Sequence(2));
  EXPECT_EQ(asked.last, Sequence(9));
  EXPECT_EQ(asked.size, (Counter{4, 84}));
  EXPECT_EQ(asked.first_time, WallTime(2));
  expect_equation();
  open();
  ASSERT_EQ(replays().size(), 1u);
  EXPECT_EQ(replays()[0].letters, asked.letters);
  EXPECT_TRUE(replays()[0].key.empty());
  EXPECT_TRUE(claims().empty()) << "no claim over blocks";
  expect_equation();
}

TEST_F(ReplayTest, KeyAndRenderingAreThoseOfTheFirstAttempt) {
  const Claim begun = replay({2, 3});
  open();
  ASSERT_EQ(replays().size(), 1u);
  EXPECT_EQ(replays()[0].key, "key");
  EXPECT_EQ(replays()[0].rendering, "rendering");
  EXPECT_EQ(begin()->begin_replay(begun.id, "", "").error().code, ErrorCode::kInvalid);
}

TEST_F(ReplayTest, TheDeliveredLeaveAndTheRefusedStayWithTheNewReason) {
  const Claim begun = replay({1, 2, 3});
  DeadLetter refused;
  refused.id = 3;
  refused.attempts = 1;
  refused.given_up = WallTime(77);
  refused.reason = "still a bad date";
  settle(begun.id, {refused});
  EXPECT_TRUE(replays().empty());
  EXPECT_EQ(lane(key_).delivered, (Counter{8, 168}));
  EXPECT_EQ(lane(key_).dead_lettered, (Counter{2, 42}));
  open();
  expect_equation();
  const auto stays = store_->dead_letter(3);
  ASSERT_TRUE(stays && *stays);
  EXPECT_EQ((*stays)->reason, "still a bad date");
  EXPECT_EQ((*stays)->attempts, 2u);
  EXPECT_EQ((*stays)->given_up, WallTime(77));
  EXPECT_EQ((*stays)->sequence, Sequence(5));
  EXPECT_FALSE(*store_->dead_letter(1));
  const auto txn = begin();
  EXPECT_EQ(txn->acknowledge({.claim = begun.id, .dead = {}, .unreadable = {}}).error().code,
            ErrorCode::kNotFound)
      << "settled once";
}

TEST_F(ReplayTest, ALetterIsInOneReplayAtATime) {
  replay({1, 2});
  const auto txn = begin();
  EXPECT_EQ(txn->replay({2, 3}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(txn->replay({3, 3}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(txn->replay({99}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(txn->replay({}).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(txn->replay({3}));
}

TEST_F(ReplayTest, WhatWasPurgedMeanwhileIsLeftOut) {
  const Claim begun = replay({1, 2});
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->erase_dead_letter(1));
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_EQ(lane(key_).dropped[static_cast<std::size_t>(DropReason::kForgotten)], (Counter{1, 21}));
  expect_equation();
  settle(begun.id);
  EXPECT_EQ(lane(key_).delivered, (Counter{7, 147}));
  EXPECT_EQ(lane(key_).dead_lettered, (Counter{2, 42}));
}

TEST_F(ReplayTest, TooLargeIsHalvedAndNotBegun) {
  const Claim begun = replay({1, 2, 3});
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->halve_replay(begun.id, 0));
    ASSERT_TRUE(txn->commit());
  }
  const auto halves = replays();
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].letters, (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(halves[1].letters, (std::vector<std::uint64_t>{3, 1}));
  EXPECT_TRUE(halves[0].key.empty() && halves[1].key.empty());
  EXPECT_EQ(halves[1].first, Sequence(5));
  EXPECT_EQ(halves[1].last, Sequence(8));
}

TEST_F(ReplayTest, AForgottenSinkTakesItsReplaysAlong) {
  replay({1, 2});
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->forget_sink(key_.sink));
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_TRUE(replays().empty());
  open();
  EXPECT_TRUE(replays().empty());
  EXPECT_EQ(begin()->replay({1}).error().code, ErrorCode::kNotFound) << "nobody to deliver it";
}

TEST_F(ReplayTest, ALongerReasonNeverBreaksTheQuota) {
  const Claim begun = replay({1});
  options_.dead_letter_quota = store_->usage().dead_letter_bytes;
  open();
  DeadLetter refused;
  refused.id = 1;
  refused.attempts = 1;
  refused.reason = std::string(1000, 'y');
  settle(begun.id, {refused});
  EXPECT_LE(store_->usage().dead_letter_bytes, options_.dead_letter_quota);
  EXPECT_EQ((*store_->dead_letter(1))->attempts, 2u);
}

TEST_F(ReplayTest, ThereAreOnlySoMany) {
  const auto txn = begin();
  ASSERT_TRUE(txn->replay({1}));
  const std::vector<std::uint64_t> many(kReplayRecords + 1, 2);
  EXPECT_EQ(txn->replay(many).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace edgehose
