// Minis: which are merged, and when.

#include <csignal>

#include "buffer/block_header.h"
#include "tests/buffer/minis_fixture.h"

namespace edgehose {
namespace {

TEST_F(Minis, BecomeOneFullBlockUnderTheLastNumber) {
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    const RawBlock raw = quarter(static_cast<char>('a' + i));
    expected += raw.bodies;
    append(raw);
  }
  EXPECT_EQ(blocks(), numbers({4}));
  const auto block = store_->read_decoded(BlockNumber(4));
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->bodies, expected);
  EXPECT_EQ(block->header.first_sequence, Sequence(1));
  EXPECT_FALSE(block->header.mini());
  RecordReader reader(*block);
  Record r;
  std::uint64_t n = 0;
  while (reader.next(r)) EXPECT_EQ(r.sequence, Sequence(++n));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(n, 256u);
  EXPECT_TRUE((*store_->sources())[0].minis.empty());
}

TEST_F(Minis, AreMergedAfterReopeningToo) {
  for (int i = 0; i < 3; ++i) append(quarter());
  open();  // without close(): as after a kill
  append(quarter());
  EXPECT_EQ(blocks(), numbers({4}));
}

TEST_F(Minis, OfOtherSourcesBetweenThemDoNotMatter) {
  const SourceId other = store_->source_id("other");
  for (int i = 0; i < 4; ++i) {
    append(quarter());
    append(block_of(other, 1));
  }
  EXPECT_EQ(blocks(source_), numbers({7}));
  EXPECT_EQ(blocks(other), numbers({2, 4, 6, 8}));
}

TEST_F(Minis, ManySmallOnesBecomeALargerMini) {
  for (std::size_t i = 0; i < kMaxMinis; ++i) append(block_of(source_, 2));
  EXPECT_EQ(blocks(), numbers({kMaxMinis}));
  EXPECT_TRUE((*store_->next_block(source_, BlockNumber(0)))->mini);
  EXPECT_EQ((*store_->next_block(source_, BlockNumber(0)))->records, 2 * kMaxMinis);
  EXPECT_EQ((*store_->sources())[0].minis, numbers({kMaxMinis}));
}

TEST_F(Minis, NeverExceedAFullBlock) {
  append(quarter());
  append(quarter());
  append(block_of(source_, 220, 1023));  // 128 + 220 KiB
  EXPECT_EQ(blocks(), numbers({2, 3}));
  EXPECT_LE((*store_->next_block(source_, BlockNumber(3)))->body_raw, kBlockRawBytes);
}

TEST_F(Minis, BeforeAFullBlockAreMergedAmongThemselves) {
  append(quarter());
  append(quarter());
  append(block_of(source_, 250, 1023));
  EXPECT_EQ(blocks(), numbers({2, 3}));
  EXPECT_EQ((*store_->next_block(source_, BlockNumber(0)))->records, 128u);
  EXPECT_TRUE((*store_->sources())[0].minis.empty());
}

TEST_F(Minis, AreNotMergedAcrossACursor) {
  const LaneKey slow{store_->sink_id("slow"), source_};
  add_lane(slow);
  append(quarter());
  append(quarter());
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(3)).id);
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({2, 3, 4}));  // the cursor stands between 2 and 3
  EXPECT_EQ(lane(key_).buffered().records, 128u);
}

TEST_F(Minis, AreNotMergedAcrossACursorInsideOne) {
  add_lane({store_->sink_id("inside"), source_}, {});
  append(quarter());
  append(quarter());
  append(quarter());
  add_lane({store_->sink_id("late"), source_}, {BlockNumber(2), 5});
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 6}));  // 2 is cut in two by a cursor: it stays alone
}

TEST_F(Minis, ThatAreClaimedStayAsTheyAre) {
  append(quarter());
  append(quarter());
  const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(3));
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  acknowledge(claim.id);
  EXPECT_EQ(lane(key_).cursor, (Position{BlockNumber(3), 0}));
}

TEST_F(Minis, ThatEveryLanePassedAreTrimmedNotMerged) {
  for (int i = 0; i < 3; ++i) append(quarter());
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(4)).id);
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  ASSERT_TRUE(store_->close());
  open();
  EXPECT_EQ(blocks(), numbers({4}));
}

// Else the records behind the gap would become others.
TEST_F(Minis, AreNotMergedAcrossWhatWasDropped) {
  const LaneKey slow{store_->sink_id("slow"), source_};
  add_lane(slow);
  for (int i = 0; i < 3; ++i) append(quarter(static_cast<char>('a' + i)));
  const Claim first = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->drop_oldest(1, {key_, slow}, DropScope::kAny));
    ASSERT_TRUE(txn->commit());
  }
  ASSERT_EQ(blocks(), numbers({1, 3}));
  acknowledge(first.id);
  append(quarter('d'));
  acknowledge(claim_blocks(key_, BlockNumber(3), BlockNumber(5)).id);
  append(quarter('e'));
  append(quarter('f'));
  for (const BlockNumber number : blocks()) {
    const auto block = store_->read_decoded(number);
    ASSERT_TRUE(block);
    RecordReader reader(*block);
    for (Record r; reader.next(r);)
      EXPECT_EQ(r.body.back(), static_cast<char>('a' + (r.sequence.value - 1) / 64));
  }
}

}  // namespace
}  // namespace edgehose
