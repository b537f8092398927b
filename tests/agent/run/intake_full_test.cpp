// A full buffer under each policy, and limits that were lowered.
#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

TEST_F(IntakeTest, BlockStopsReadingAndLosesNothing) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kBlock;
  batch_.max_size = 64 << 10;
  start();
  dense_lines(200'000);
  run();
  EXPECT_TRUE(intake_->status().read().blocked);
  EXPECT_FALSE(source_->lines.empty());
  // Delivering makes room; in the end every record has come through, in order.
  Sequence expected{1};
  for (int round = 0; round < 20'000 && expected.value <= 200'000; ++round) {
    for (const Claim& claim : claims_.take()) {
      EXPECT_EQ(claim.first, expected);
      expected = claim.last + 1;
      settle(claim);
    }
    run();
    clock_.advance(seconds(5));
  }
  EXPECT_EQ(expected, Sequence{200'001});
}

TEST_F(IntakeTest, AFullBufferKeepsSourcesLooking) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kBlock;
  start();
  dense_lines(200'000);
  source_->next = Instant{};  // something is overdue in it, always
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  const unsigned drained = source_->drained;
  source_->looks = 0;
  for (int i = 0; i < 600; ++i) {
    clock_.advance(std::chrono::milliseconds(100));
    run();
  }
  EXPECT_EQ(source_->drained, drained);
  EXPECT_GE(source_->looks, 50u);
  EXPECT_LE(source_->looks, 61u) << "it would spin";
}

TEST_F(IntakeTest, AFullBufferMakesWhatItHoldsRipe) {
  store_options_.max_size = 2 << 20;  // far below a batch's 8 MiB, and nothing is old
  batch_.max_age = std::chrono::hours(24);
  start();
  dense_lines(400'000);
  run();
  EXPECT_GT(deliver_all(), 360'000u);  // the rest waits for its age
  EXPECT_TRUE(source_->lines.empty());
}

TEST_F(IntakeTest, ASinkThatLeftTheConfigYieldsEvenUnderBlock) {
  store_options_.max_size = 2 << 20;
  batch_.max_size = 64 << 10;
  sink_name_ = "gone";
  start();
  dense_lines(20'000);
  run();
  clock_.advance(minutes(2));
  run();  // claimed by a sink that never answers
  crash();
  sink_name_ = "archive";
  start();
  dense_lines(200'000);
  run();
  const std::uint64_t delivered = deliver_all();
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_GE(delivered, 200'000u);
  const auto lanes = store_->lanes();
  ASSERT_TRUE(lanes && lanes->size() == 2);
  EXPECT_GT(lanes->at(0).dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  EXPECT_EQ(lanes->at(1).dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
}

TEST_F(IntakeTest, DropNewestCountsWhatItDoesNotTake) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropNewest;
  start();
  dense_lines(100'000);
  for (int i = 0; i < 4; ++i) {  // waits for room; drops; commits the rest
    run();
    clock_.advance(minutes(2));
  }
  const auto sources = store_->sources();
  ASSERT_TRUE(sources);
  EXPECT_GT(sources->at(0).not_taken.records, 0u);
  EXPECT_EQ(sources->at(0).not_taken.records + sources->at(0).committed.records, 100'000u);
}

TEST_F(IntakeTest, DropOldestSkipsWhatIsClaimedAndCounts) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropOldest;
  batch_.max_size = 64 << 10;
  start();
  dense_lines(200'000);
  for (int i = 0; i < 100; ++i) {
    run();
    clock_.advance(seconds(61));
  }
  EXPECT_TRUE(source_->lines.empty());
  const LaneState state = lane();
  EXPECT_EQ(state.committed.records, 200'000u);
  EXPECT_GT(state.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  const std::vector<Claim> claims = claims_.take();
  ASSERT_FALSE(claims.empty());
  EXPECT_EQ(claims[0].first, Sequence{1});  // claimed early, and still there
  const auto first = store_->next_block(SourceId{}, BlockNumber{});
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->first, Sequence{1});
}

// Batches that are larger than the buffer: soon they have all of it, and nothing more is read.
TEST_F(IntakeTest, DropOldestTellsWhereItHasNothingToDrop) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropOldest;
  start();
  dense_lines(200'000);
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  EXPECT_TRUE(intake_->status().read().drops) << "unless a sink makes room meanwhile";
  const auto pass = [&](int time) {
    for (int i = 0; i < time; ++i) {
      clock_.advance(seconds(1));
      run();
    }
    return lane().committed.records;
  };
  const std::uint64_t committed = pass(40);
  EXPECT_TRUE(intake_->status().read().blocked);
  EXPECT_FALSE(intake_->status().read().drops);
  EXPECT_EQ(pass(40), committed);
  EXPECT_FALSE(source_->lines.empty());
  for (const Claim& claim : claims_.take()) settle(claim);
  run();
  EXPECT_GT(pass(10), committed);
}

// More blocks than one transaction drops, and no sink that takes any.
TEST_F(IntakeTest, DropOldestComesDownToALimitThatWasLowered) {
  options_.when_full = WhenFull::kDropOldest;
  batch_.max_size = 16 << 10;
  start();
  lines(1);
  run();
  clock_.advance(minutes(2));
  run();
  const SourceId app = store_->sources()->at(0).id;
  auto transaction = store_->begin();
  for (int i = 0; i < 9000; ++i) {
    BlockBuilder builder(app);
    NewRecord record;
    const std::string body(kMiniRawBytes + 1, 'x');
    record.body = body;
    builder.append(record);
    ASSERT_TRUE((*transaction)->append(builder.take()));
  }
  ASSERT_TRUE((*transaction)->commit());
  transaction->reset();
  crash();
  store_options_.max_size = 1 << 20;
  start();
  ASSERT_GT(store_->usage().used, 2u << 20);
  source_->urgent = true;
  lines(1);
  for (int i = 0; i < 4; ++i) {
    run();
    clock_.advance(seconds(6));
  }
  EXPECT_FALSE(intake_->status().read().blocked);
  EXPECT_GE(source_->commits, 1u);
  EXPECT_LE(store_->usage().used, store_options_.max_size);
  EXPECT_EQ(lane().committed.records, 9002u);
}

TEST_F(IntakeTest, ALoweredLimitIsDrainedToUnderBlock) {
  store_options_.max_size = 30 << 20;
  batch_ = {1 << 20, seconds(5)};
  start();
  dense_lines(900'000);
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  const std::uint64_t held = lane().buffered().records;
  crash();
  store_options_.max_size = 4 << 20;
  start();
  dense_lines(1000);
  run();
  EXPECT_EQ(deliver_all(), held + 1000);
  EXPECT_EQ(lane().buffered(), Counter{});
}

TEST_F(IntakeTest, AHealthySinkLosesNothingUnderPoliciesThatDrop) {
  store_options_.max_size = 2 << 20;
  batch_ = {8 << 20, hours(1)};  // never ripe by its size: the buffer is full before
  for (const WhenFull policy : {WhenFull::kDropOldest, WhenFull::kDropNewest}) {
    options_.when_full = policy;
    start();
    dense_lines(200'000);
    deliver_all();
    EXPECT_TRUE(source_->lines.empty());
    const LaneState state = lane();
    EXPECT_EQ(state.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
    EXPECT_EQ(store_->sources()->at(0).not_taken.records, 0u);
    EXPECT_EQ(state.delivered.records + state.buffered().records, state.committed.records);
    crash();
  }
}

// Its cursor moves with what is dropped, although nothing of it is claimed: so must its next batch.
TEST_F(IntakeTest, AnIdleSinkGoesOnWhereADeadOneFillsTheBuffer) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropOldest;
  batch_ = {64 << 10, hours(1)};
  second_batch_ = BatchConfig{8 << 20, hours(1)};
  start();
  dense_lines(200'000);
  std::uint64_t delivered = 0;
  for (int i = 0, idle = 0; i < 400 && idle < 60; ++i) {
    run();
    idle = source_->lines.empty() ? idle + 1 : 0;
    for (const Claim& claim : second_claims_.take()) {
      delivered += claim.size.records;
      settle(claim);
    }
    ASSERT_EQ(intake_->status().read().problem, "");
    clock_.advance(seconds(2));
  }
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_GT(delivered, 0u);
  const auto lanes = store_->lanes();
  ASSERT_TRUE(lanes);
  for (const LaneState& lane : *lanes) {
    EXPECT_EQ(lane.committed.records, 200'000u);
    EXPECT_GT(lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  }
}

TEST_F(IntakeTest, UnderBlockTheLogSaysThatSourcesWait) {
  store_options_.max_size = 2 << 20;
  start();
  dense_lines(100'000);
  testing::internal::CaptureStderr();
  run();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("buffer: full, sources wait: "));
}

TEST_F(IntakeTest, DropsThatNoLineToldYetAreToldAtTheStop) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropNewest;
  start();
  dense_lines(100'000);
  testing::internal::CaptureStderr();
  run();
  clock_.advance(seconds(5));  // no sink makes room
  run();
  intake_->step();
  ASSERT_TRUE(intake_->stop());
  const std::string log = testing::internal::GetCapturedStderr();
  std::uint64_t told = 0;
  constexpr std::string_view kBefore = "buffer: full, ";
  for (std::size_t at = 0; (at = log.find(kBefore, at)) != std::string::npos;) {
    at += kBefore.size();
    if (log.compare(at, 7, "sources") == 0) continue;  // "sources wait", before it drops
    std::string number = log.substr(at, log.find(' ', at) - at);
    std::erase(number, ',');
    told += std::stoull(number);
  }
  const auto sources = store_->sources();
  ASSERT_TRUE(sources);
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told, sources->at(0).not_taken.records) << log;
}

}  // namespace
}  // namespace edgehose
