// Commits, claims, acknowledgements.
#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

TEST_F(IntakeTest, RecordsWaitForTheProfilesLimitAndCommitWithTheirPosition) {
  start();
  lines(10);
  run();
  EXPECT_EQ(source_->commits, 0u);
  clock_.advance(seconds(59));
  run();
  EXPECT_EQ(source_->commits, 0u);
  EXPECT_EQ(intake_->status().read().uncommitted.at(0), 1000u);
  clock_.advance(seconds(1));
  run();
  EXPECT_EQ(source_->commits, 1u);
  EXPECT_EQ(intake_->status().read().uncommitted.at(0), 0u);
  EXPECT_EQ(lane().committed, (Counter{10, 1000}));
  const auto file = store_->file(FileId{1});
  ASSERT_TRUE(file && *file);
  EXPECT_EQ((*file)->offset, 1000u);
}

TEST_F(IntakeTest, UrgentSourcesCommitAtOnce) {
  start();
  source_->urgent = true;
  lines(1);
  run();
  EXPECT_EQ(source_->commits, 1u);
}

// Later with each look at it, as a machine's is: what is due "now" must not be missed for ever.
class TickingClock final : public Clock {
 public:
  Instant now() const override { return Instant(Duration(++ticks_)); }
  WallTime wall() const override { return kEarliestPlausible; }
  void wait(std::span<const int>, Instant) override {}

 private:
  mutable std::int64_t ticks_ = 0;
};

TEST_F(IntakeTest, UrgentSourcesCommitAtOnceThoughTimePassesMeanwhile) {
  TickingClock ticking;
  intakes_clock_ = &ticking;
  start();
  source_->urgent = true;
  lines(1);
  intake_->step();
  EXPECT_EQ(source_->commits, 1u);
  intake_.reset();
}

TEST_F(IntakeTest, VolumeCommitsWholeBlocks) {
  start();
  lines(80'000);  // 8 MB
  run();
  EXPECT_GE(source_->commits, 3u);
  for (auto block = store_->next_block(SourceId{}, BlockNumber{}); block && *block;
       block = store_->next_block(SourceId{}, (*block)->number + 1))
    EXPECT_FALSE((*block)->mini);
}

TEST_F(IntakeTest, ARipeBatchPullsTheCommitAndItsClaimRidesIt) {
  start_with_a_ripe_batch();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].key, "app-1-10");
  EXPECT_EQ(source_->commits, 1u);
  EXPECT_EQ(intake_->status().read().commits, 1u);
}

TEST_F(IntakeTest, ABatchIsOnItsWayBeforeItsAge) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(milliseconds(4740));
  run();
  EXPECT_TRUE(claims_.take().empty());
  clock_.advance(milliseconds(10));
  run();
  EXPECT_EQ(claims_.take().size(), 1u);
}

// Every page of a commit is 4 KiB of flash: a delivered block leaves the leaf before the next
// comes.
TEST_F(IntakeTest, ATrickleOfSmallBatchesKeepsToOneLeaf) {
  batch_.max_age = seconds(5);
  start();
  for (int batch = 0; batch < 20; ++batch) {
    dense_lines(30);
    run();
    clock_.advance(seconds(5));
    run();
    settle(claims_.take().at(0));
    EXPECT_EQ(intake_->status().read().commits, static_cast<std::uint64_t>(batch) + 1);
    if (batch < 2) continue;  // the first commits of a new file
    EXPECT_LE(store_->usage().used, 4u * 4096) << "two meta pages, one leaf, one of the free list";
  }
}

TEST_F(IntakeTest, SettledClaimsAreDeliveredOnceAcrossARestart) {
  start_with_a_ripe_batch();
  Claim claim = claims_.take().at(0);
  crash();
  start();
  std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, claim.key);
  EXPECT_EQ(resumed[0].first, claim.first);
  EXPECT_EQ(resumed[0].last, claim.last);
  settle(resumed[0]);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(lane().delivered, (Counter{10, 1000}));
  EXPECT_EQ(lane().buffered(), Counter{});
  crash();
  start();
  EXPECT_TRUE(claims_.take().empty());
}

TEST_F(IntakeTest, AnAcknowledgementAloneWaitsItsLimit) {
  start_with_a_ripe_batch();
  settle(claims_.take().at(0));
  run();
  EXPECT_EQ(lane().delivered.records, 0u);
  clock_.advance(seconds(30));
  run();
  EXPECT_EQ(lane().delivered.records, 10u);
}

TEST_F(IntakeTest, AtMostTheWindowIsClaimedAndASettlementFreesTheNext) {
  batch_.max_size = 4096;  // as stored; the lines compress well
  start();
  for (int round = 0; round < 6; ++round) {
    lines(3000);
    run();
    clock_.advance(seconds(60));
    run();
  }
  std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 2u);  // concurrency
  settle(claims[0]);
  run();
  std::vector<Claim> next = claims_.take();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].first, claims[1].last + 1);
}

TEST_F(IntakeTest, WhatMayWaitAsideIsClaimedBesideWhatIsInFlight) {
  batch_.max_size = 4096;
  unacknowledged_ = 3;
  start();
  for (int round = 0; round < 6; ++round) {
    lines(3000);
    run();
    clock_.advance(seconds(60));
    run();
  }
  EXPECT_EQ(claims_.take().size(), 2u + 3u);
}

TEST(SinkLink, LanesShareWhatMayWaitAside) {
  SinkLink link;
  link.config.concurrency = 2;
  link.config.unacknowledged = 30;
  EXPECT_EQ(link.window(), 32u) << "no lane yet";
  for (std::uint32_t i = 1; i <= 4; ++i)
    link.lanes.emplace_back(LaneKey{SinkId{1}, SourceId{i}}, Position{}, BatchConfig{});
  EXPECT_EQ(link.window(), SinkLink::kMaxClaims / 4);
  for (std::uint32_t i = 5; i <= 40; ++i)
    link.lanes.emplace_back(LaneKey{SinkId{1}, SourceId{i}}, Position{}, BatchConfig{});
  EXPECT_EQ(link.window(), 2u) << "what is in flight, whatever is left";
}

TEST_F(IntakeTest, BatchesKeepToALimitThatTheSinkHasLearned) {
  // Of the batches that 3000 lines make, in records.
  const auto largest = [&] {
    lines(3000);
    run();
    clock_.advance(minutes(5));
    run();
    std::uint64_t records = 0;
    for (auto claims = claims_.take(); !claims.empty(); claims = claims_.take(), run()) {
      for (const Claim& claim : claims) {
        records = std::max(records, claim.size.records);
        settle(claim);
      }
      run();
    }
    return records;
  };
  start();
  EXPECT_EQ(largest(), 3000u);
  intake_->inbox().post(Learned{store_->sink_id("archive"), "max-1024"});
  run();
  const std::uint64_t limited = largest();
  EXPECT_LT(limited, 3000u);
  crash();
  start();
  EXPECT_EQ(largest(), limited) << "after a restart too";
}

TEST_F(IntakeTest, ATooLargeClaimIsHalvedWithExactSizes) {
  batch_.max_age = seconds(5);
  start();
  lines(9);
  run();
  clock_.advance(seconds(5));
  run();
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Halve{claim.lane.sink, claim.id, 0});
  run();
  const std::vector<Claim> halves = claims_.take();
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].first, Sequence{1});
  EXPECT_EQ(halves[0].last, Sequence{4});
  EXPECT_EQ(halves[1].first, Sequence{5});
  EXPECT_EQ(halves[1].last, Sequence{9});
  EXPECT_EQ(halves[0].size, (Counter{4, 400}));
  EXPECT_EQ(halves[1].size, (Counter{5, 500}));
  EXPECT_EQ(halves[0].end, halves[1].begin);
  settle(halves[1]);  // out of order
  settle(halves[0]);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(lane().delivered, (Counter{9, 900}));
}

TEST_F(IntakeTest, ASourceTakenOutOfInputsIsNotDeliveredAnyMore) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  crash();
  inputs_ = {"another"};
  start();
  lines(10);
  EXPECT_EQ(deliver_all(), 0u);
}

TEST_F(IntakeTest, WhatIsCutAlreadyIsDeliveredThoughInputsLeftItsSource) {
  start_with_a_ripe_batch();
  const std::string key = claims_.take().at(0).key;
  crash();
  inputs_ = {"another"};
  options_.flush = true;
  start();
  lines(10);
  run();
  EXPECT_FALSE(intake_->complete());
  const std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, key);
  settle(resumed[0]);
  run();
  EXPECT_TRUE(intake_->complete());
  EXPECT_EQ(lane().delivered.records, 10u);
  EXPECT_EQ(lane().buffered().records, 10u);
}

// --- what status shows ---------------------------------------------------------------------------

TEST_F(IntakeTest, WhenTheAgeMakesTheNextBatchIsShown) {
  start();
  run();
  const auto shown = [&] {
    clock_.advance(seconds(1));
    run();
    return intake_->status().read().batches_at;
  };
  EXPECT_TRUE(shown().empty()) << "nothing waits";
  const Instant begin = clock_.now();
  lines(10);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(shown().at("archive"), begin + minutes(5));
  clock_.advance(minutes(5));
  run();
  EXPECT_TRUE(shown().empty()) << "it is made";
}

TEST_F(IntakeTest, WhatChangedIsShownWithinASecondAndNothingWakesItAfter) {
  start();
  const auto shown = [&] { return intake_->status().read().sources.at(0).read_records; };
  lines(1);
  run();
  EXPECT_EQ(shown(), 1u) << "the first look's at once";
  lines(4);
  run();
  EXPECT_EQ(shown(), 1u) << "one a second at most";
  const Instant next = intake_->step();
  EXPECT_LE(next, clock_.now() + seconds(1));
  clock_.advance(next - clock_.now());
  run();
  EXPECT_EQ(shown(), 5u);
  EXPECT_GT(intake_->step(), clock_.now() + seconds(10)) << "nothing changes: asleep";
}

// --- the watchdog's view -------------------------------------------------------------------------

TEST_F(IntakeTest, BeatsBetweenThePiecesOfLongWork) {
  start();
  std::vector<Duration> heard;
  source_->on_drain = [&] {
    heard.push_back(intake_->heartbeat().silence(clock_.now()));
    clock_.advance(seconds(90));  // a slow disk
  };
  source_->on_sync = [&] {
    heard.push_back(intake_->heartbeat().silence(clock_.now()));
    clock_.advance(seconds(90));
  };
  lines(10);
  source_->urgent = true;
  intake_->step();
  EXPECT_EQ(heard, (std::vector<Duration>{Duration{}, Duration{}}));
  EXPECT_EQ(intake_->heartbeat().silence(clock_.now()), Duration{}) << "before the flush";
}

TEST_F(IntakeTest, ABlockWithADamagedHeaderStopsNothing) {
  start();
  for (int block = 0; block < 3; ++block) {
    dense_lines(3000);  // of which some are in a block of their own
    run();
    clock_.advance(seconds(61));
    run();
  }
  const std::string path = store_options_.directory + "/buffer.mdb";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  const BlockNumber first = store_->next_block(SourceId{}, {})->value().number;
  const auto second = store_->next_block(SourceId{}, first + 1);
  ASSERT_TRUE(second && *second);
  constexpr std::size_t kNumberAt = 32;
  unsigned bent = 0;
  file.clear();
  for (std::size_t at = 0; (at = all.find(kBlockMagic, at)) != std::string::npos; ++at) {
    if (static_cast<unsigned char>(all[at + kNumberAt]) != (*second)->number.value) continue;
    file.seekp(static_cast<std::streamoff>(at + 20)).put(static_cast<char>(~all[at + 20])).flush();
    ++bent;
  }
  ASSERT_GT(bent, 0u);
  clock_.advance(minutes(10));
  run();
  EXPECT_GT(deliver_all(), 5'000u);
  EXPECT_EQ(intake_->status().read().problem, "");
}

TEST_F(IntakeTest, OnceIsCompleteWhenAllIsAcknowledged) {
  options_.flush = true;
  start();
  lines(10);
  run();
  EXPECT_FALSE(intake_->complete());
  for (const Claim& claim : claims_.take()) settle(claim);
  run();
  EXPECT_TRUE(intake_->complete());
  EXPECT_TRUE(intake_->status().read().complete);
}

TEST_F(IntakeTest, AClaimWithARefusedKeyIsCutAnewUnderAnother) {
  batch_.max_age = seconds(5);
  start();
  lines(9);
  run();
  clock_.advance(seconds(5));
  run();
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Learned{claim.lane.sink, "portable "});
  intake_->inbox().post(Rekey{claim.lane.sink, claim.id, "safe-1-9"});
  run();
  const std::vector<Claim> anew = claims_.take();
  ASSERT_EQ(anew.size(), 1u);
  EXPECT_EQ(anew[0].key, "safe-1-9");
  EXPECT_EQ(anew[0].size, claim.size);
  EXPECT_NE(anew[0].id, claim.id);
  crash();  // persisted, and the old one is gone
  start();
  const std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, "safe-1-9");
  EXPECT_TRUE(resumed[0].resumed);
  settle(resumed[0]);
  lines(1);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(claims_.take().at(0).key, "portable app-10-10")
      << "what the sink learned names the next";
}

// One refused batch holds the sink back, whatever else of it can be acknowledged.
TEST_F(IntakeTest, ASinkWhoseDeadLettersAreFullStaysHeldBack) {
  store_options_.dead_letter_quota = 64;
  batch_ = {2048, seconds(5)};  // as stored; the lines compress well
  start();
  lines(3000);
  run();
  clock_.advance(seconds(5));
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 2u);
  DeadLetter letter;
  letter.lane = claims[0].lane;
  letter.sequence = claims[0].first;
  letter.body = std::string(99, 'x');
  intake_->inbox().post(
      Settled{claims[0].lane.sink, Acknowledgement{claims[0].id, {letter}, 0, {}}, 1});
  settle(claims[1]);
  run();
  clock_.advance(seconds(60));
  run();
  const std::vector<std::string> told = holds_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_FALSE(told[0].empty());
  EXPECT_TRUE(claims_.take().empty());
}

}  // namespace
}  // namespace edgehose
