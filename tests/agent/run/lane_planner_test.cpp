#include "agent/run/lane_planner.h"

#include <gtest/gtest.h>

#include <map>

namespace edgehose {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr SourceId kSource{1};

// A log of blocks of one source, as the store would show it.
struct Log {
  std::map<BlockNumber, BlockInfo> blocks;
  Sequence next{1};

  void add(std::uint64_t number, std::uint32_t records, std::uint32_t stored) {
    BlockInfo info;
    info.number = BlockNumber(number);
    info.source = kSource;
    info.first = next;
    info.records = records;
    info.body_raw = records * 100;
    info.body_stored = stored;
    blocks[info.number] = info;
    next = next + records;
  }
  // The last `count` blocks become one, under the last one's number.
  void merge_last(unsigned count) {
    BlockInfo merged = blocks.rbegin()->second;
    merged.records = 0;
    for (unsigned i = 0; i < count; ++i) {
      auto last = std::prev(blocks.end());
      merged.first = last->second.first;
      merged.records += last->second.records;
      blocks.erase(last);
    }
    merged.body_raw = merged.records * 100;
    blocks[merged.number] = merged;
  }
  NextBlock reader() const {
    return [this](SourceId, BlockNumber from) -> Result<std::optional<BlockInfo>> {
      const auto at = blocks.lower_bound(from);
      if (at == blocks.end()) return std::nullopt;
      return at->second;
    };
  }
};

Instant at(Duration d) { return Instant(d); }

BatchConfig config(std::uint64_t max_size, Duration max_age) { return {max_size, max_age}; }

LanePlanner planner(BatchConfig batch) { return {LaneKey{SinkId{1}, kSource}, Position{}, batch}; }

TEST(LanePlanner, NothingThereIsNeverRipe) {
  Log log;
  LanePlanner lane = planner(config(1000, seconds(1)));
  EXPECT_EQ(*lane.next(log.reader(), {}, at(minutes(9)), true), std::nullopt);
  EXPECT_EQ(lane.ripe_at(), kNever);
  EXPECT_FALSE(lane.has_pending());
}

TEST(LanePlanner, ALimitThatIsLearnedHoldsForWhatIsNotClaimed) {
  Log log;
  for (std::uint64_t i = 1; i <= 5; ++i) log.add(i, 10, 400);
  LanePlanner lane = planner(config(10'000, minutes(5)));
  lane.arrived(at(seconds(1)));
  EXPECT_EQ(*lane.next(log.reader(), {}, at(seconds(2)), false), std::nullopt);
  lane.limit_size(1000);
  const auto batch = lane.next(log.reader(), {}, at(seconds(2)), false);
  ASSERT_TRUE(batch && *batch) << "what was walked already is planned anew";
  EXPECT_EQ((*batch)->size.records, 20u);
  lane.claimed(**batch);
  lane.limit_size(10'000);  // a person cleared it
  EXPECT_EQ(*lane.next(log.reader(), {}, at(seconds(2)), false), std::nullopt);
}

TEST(LanePlanner, ABatchEndsBeforeTheBlockThatWouldPassItsSize) {
  Log log;
  for (std::uint64_t i = 1; i <= 5; ++i) log.add(i, 10, 400);
  LanePlanner lane = planner(config(1000, minutes(5)));
  lane.arrived(at(seconds(1)));
  const auto batch = lane.next(log.reader(), {}, at(seconds(2)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->size, (Counter{20, 2000}));
  EXPECT_EQ((*batch)->first, Sequence{1});
  EXPECT_EQ((*batch)->last, Sequence{20});
  EXPECT_EQ((*batch)->end, (Position{BlockNumber{3}, 0}));
}

TEST(LanePlanner, BatchesFollowEachOtherWithoutAGap) {
  Log log;
  for (std::uint64_t i = 1; i <= 50; ++i)
    log.add(i, 7, 100 + static_cast<std::uint32_t>(i * 37 % 300));
  LanePlanner lane = planner(config(1000, minutes(5)));
  lane.arrived(at(seconds(1)));
  Sequence expected{1};
  for (;;) {
    const auto batch = lane.next(log.reader(), {}, at(seconds(2)), true);
    ASSERT_TRUE(batch);
    if (!*batch) break;
    EXPECT_EQ((*batch)->first, expected);
    expected = (*batch)->last + 1;
    lane.claimed(**batch);
  }
  EXPECT_EQ(expected, log.next);
}

TEST(LanePlanner, AgeMakesABatchRipeAndTheNextOneWaitsAnew) {
  Log log;
  log.add(1, 10, 100);
  LanePlanner lane = planner(config(1000, seconds(5)));
  lane.arrived(at(seconds(100)));
  EXPECT_EQ(*lane.next(log.reader(), {}, at(seconds(104)), false), std::nullopt);
  EXPECT_EQ(lane.ripe_at(), at(seconds(105)));
  const auto batch = lane.next(log.reader(), {}, at(seconds(105)), false);
  ASSERT_TRUE(batch && *batch);
  lane.claimed(**batch);
  EXPECT_EQ(lane.ripe_at(), kNever);
  log.add(2, 10, 100);
  lane.arrived(at(seconds(107)));
  EXPECT_EQ(lane.ripe_at(), at(seconds(112)));
}

TEST(LanePlanner, BlocksMergedAfterTheWalkAreCountedOnce) {
  Log log;
  for (std::uint64_t i = 1; i <= 3; ++i) log.add(i, 10, 10);
  LanePlanner lane = planner(config(1'000'000, seconds(5)));
  lane.arrived(at(seconds(1)));
  EXPECT_EQ(*lane.next(log.reader(), {}, at(seconds(2)), false), std::nullopt);
  log.add(4, 10, 10);
  log.merge_last(3);  // blocks 2, 3, 4: two of them are walked already
  lane.arrived(at(seconds(3)));
  const auto batch = lane.next(log.reader(), {}, at(seconds(9)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->size, (Counter{40, 4000}));
  EXPECT_EQ((*batch)->end, (Position{BlockNumber{5}, 0}));
}

TEST(LanePlanner, AFullBatchThatWaitedForRoomIsWalkedAfresh) {
  Log log;
  for (std::uint64_t i = 1; i <= 3; ++i) log.add(i, 10, 500);
  LanePlanner lane = planner(config(1000, seconds(5)));
  lane.arrived(at(seconds(1)));
  ASSERT_TRUE(*lane.next(log.reader(), {}, at(seconds(2)), false));  // not claimed: no room
  log.merge_last(2);                                                 // blocks 2 and 3 become 3
  const auto batch = lane.next(log.reader(), {}, at(seconds(2)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->size.records, (*batch)->last - (*batch)->first + 1);
  Sequence end{};
  for (const auto& [number, block] : log.blocks)
    if (number < (*batch)->end.block) end = block.first + block.records;
  EXPECT_EQ((*batch)->last + 1, end);
}

TEST(LanePlanner, OneBlockLargerThanABatchIsABatch) {
  Log log;
  log.add(1, 10, 5000);
  log.add(2, 10, 5000);
  LanePlanner lane = planner(config(1000, minutes(5)));
  lane.arrived(at(seconds(1)));
  const auto batch = lane.next(log.reader(), {}, at(seconds(1)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->size.records, 10u);
}

TEST(SizeEstimate, TakesWhatIsExactElseAGuessUntilTheFirstDelivery) {
  BlockInfo block;
  block.records = 10;
  block.body_raw = 1000;
  block.body_stored = 120;
  SizeEstimate stored;
  stored.measured(1000, 500);
  EXPECT_EQ(stored.of(block), 120u);
  SizeEstimate raw{0, 1, 0, true};
  raw.measured(1000, 500);
  EXPECT_EQ(raw.of(block), 1000u);
  SizeEstimate guessed{1.5, 1, 3, false};
  EXPECT_EQ(guessed.of(block), 1210u);
  guessed.measured(1000, 0);
  EXPECT_EQ(guessed.of(block), 1210u);
  guessed.measured(1000, 500);
  EXPECT_EQ(guessed.of(block), 500u);
  guessed.measured(1000, 900);
  EXPECT_EQ(guessed.of(block), 600u) << "a running mean";
}

// All that is left of such a block is its key.
TEST(LanePlanner, PassesOverBlocksWithDamagedHeadersAndCountsTheirRecords) {
  Log log;
  for (std::uint64_t number : {1, 2, 3, 4}) log.add(number, 10, 100);
  for (std::uint64_t number : {2, 4}) {
    BlockInfo unknown;
    unknown.number = BlockNumber(number);
    unknown.source = kSource;
    log.blocks[unknown.number] = unknown;
  }
  LanePlanner lane = planner(config(1 << 20, minutes(1)));
  lane.arrived(at(seconds(0)));
  auto batch = lane.next(log.reader(), {}, at(minutes(2)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->end, (Position{BlockNumber(4), 0})) << "the last one waits for a neighbour";
  EXPECT_EQ((*batch)->size, (Counter{30, 2000}));
  lane.claimed(**batch);
  batch = lane.next(log.reader(), {}, at(minutes(2)), true);
  ASSERT_TRUE(batch);
  EXPECT_FALSE(*batch);
  EXPECT_FALSE(lane.has_pending());

  log.add(5, 10, 100);
  lane.arrived(at(minutes(3)));
  batch = lane.next(log.reader(), {}, at(minutes(5)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->first, Sequence(31));
  EXPECT_EQ((*batch)->last, Sequence(50));
  EXPECT_EQ((*batch)->size, (Counter{20, 1000}));
}

TEST(LanePlanner, ADamagedHeaderAtTheStartOfALifeIsPassedOver) {
  Log log;
  log.add(1, 10, 100);
  log.blocks.begin()->second.records = 0;
  log.add(2, 10, 100);
  LanePlanner lane = planner(config(1 << 20, minutes(1)));
  lane.arrived(at(seconds(0)));
  const auto batch = lane.next(log.reader(), {}, at(minutes(2)), false);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->first, Sequence(11));
  EXPECT_EQ((*batch)->end, (Position{BlockNumber(3), 0}));
}

// After a restart nothing was claimed yet: what the lane counts tells what the block held.
TEST(LanePlanner, AnUnreadableFirstBlockIsCountedAfterARestart) {
  Log log;
  for (std::uint64_t i = 1; i <= 6; ++i) log.add(i, 10, 10);
  const auto lose = [&](std::uint64_t number) {
    BlockInfo unreadable;
    unreadable.number = BlockNumber(number);
    unreadable.source = kSource;
    log.blocks[unreadable.number] = unreadable;
  };
  const auto first = [&] {
    return *first_of_unreadable(log.reader(), kSource, Position{}, 60, log.next);
  };
  EXPECT_EQ(first(), std::nullopt) << "it can be read";
  lose(1);
  EXPECT_EQ(first(), Sequence{1});
  lose(2);
  lose(4);  // shows between its neighbours
  lose(6);  // shows before the next sequence
  EXPECT_EQ(first(), Sequence{1});
  LanePlanner lane({SinkId{1}, kSource}, Position{}, config(1000, minutes(5)), first());
  lane.arrived(at(seconds(1)));
  const auto batch = lane.next(log.reader(), {}, at(seconds(2)), true);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->first, Sequence{1});
  EXPECT_EQ((*batch)->last, Sequence{50});
  EXPECT_EQ((*batch)->size.records, 50u);
  for (std::uint64_t i = 1; i <= 6; ++i) lose(i);
  EXPECT_EQ(first(), std::nullopt) << "nothing is known of it";
}

// As no store writes it, but may hold: each part is delivered for itself.
TEST(LanePlanner, WhereSequencesGoBackABatchEnds) {
  Log log;
  log.add(1, 10, 100);
  log.next = Sequence(5);
  log.add(2, 10, 100);
  LanePlanner lane = planner(config(1000, minutes(5)));
  lane.arrived(at(seconds(0)));
  const auto first = *lane.next(log.reader(), {}, at(seconds(1)), true);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->end, (Position{BlockNumber(2), 0}));
  lane.claimed(*first);
  const auto second = *lane.next(log.reader(), {}, at(seconds(1)), true);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, Sequence(5));
}

}  // namespace
}  // namespace edgehose
