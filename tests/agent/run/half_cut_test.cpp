#include "agent/run/half_cut.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

DecodedBlock block(std::uint64_t number, std::uint64_t first, std::uint32_t records) {
  BlockBuilder builder(SourceId{1});
  for (std::uint32_t i = 0; i < records; ++i) {
    NewRecord record{};
    record.body = "123456789";
    builder.append(record);
  }
  const RawBlock raw = builder.take();
  DecodedBlock block;
  block.header.number = BlockNumber{number};
  block.header.records = records;
  block.header.first_sequence = Sequence{first};
  block.header.extents = raw.extents;
  block.bodies = raw.bodies;
  block.index = raw.index;
  return block;
}

BlockInfo damaged(std::uint64_t number, std::uint64_t first, std::uint32_t records) {
  BlockInfo info{};
  info.number = BlockNumber{number};
  info.first = Sequence{first};
  info.records = records;
  info.body_raw = records * 10;
  return info;
}

Claim claim(std::uint64_t begin, std::uint64_t end, std::uint64_t records) {
  Claim claim;
  claim.begin = {BlockNumber{begin}, 0};
  claim.end = {BlockNumber{end}, 0};
  claim.first = Sequence{1};
  claim.last = Sequence{records};
  claim.size = {records, records * 10};
  claim.resumed = true;
  return claim;
}

void expect_whole(const Claim& claim, const std::vector<Claim>& parts) {
  Counter size;
  Position at = claim.begin;
  Sequence next = claim.first;
  for (const Claim& part : parts) {
    EXPECT_EQ(part.begin, at);
    EXPECT_EQ(part.first, next);
    EXPECT_FALSE(part.resumed);
    EXPECT_GT(part.size.records, 0u);
    at = part.end;
    next = part.last + 1;
    size += part.size;
  }
  EXPECT_EQ(at, claim.end);
  EXPECT_EQ(next, claim.last + 1);
  EXPECT_EQ(size, claim.size);
}

TEST(HalfCut, CutsInTheMiddleOfABlock) {
  const Claim whole = claim(5, 6, 9);
  HalfCut cut(whole);
  cut.add(block(5, 1, 9));
  ASSERT_TRUE(cut.done());
  const std::vector<Claim> parts = cut.parts();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].size, (Counter{4, 40}));
  expect_whole(whole, parts);
}

TEST(HalfCut, GoesRoundADamagedBlock) {
  const Claim whole = claim(5, 8, 20);
  HalfCut before(whole);  // 4 good, 12 damaged, 4 good
  before.add(block(5, 1, 4));
  before.add_damaged(damaged(6, 5, 12));
  ASSERT_TRUE(before.done());
  EXPECT_EQ(before.parts().at(0).size.records, 4u);
  expect_whole(whole, before.parts());

  HalfCut behind(whole);  // 16 damaged, 4 good
  behind.add_damaged(damaged(5, 1, 16));
  EXPECT_FALSE(behind.done());
  behind.add(block(6, 17, 4));
  ASSERT_TRUE(behind.done());
  EXPECT_EQ(behind.parts().at(0).size.records, 16u);
  expect_whole(whole, behind.parts());
}

TEST(HalfCut, WhatHasNoPlaceForACutStaysOneClaim) {
  const Claim whole = claim(5, 6, 9);
  HalfCut cut(whole);
  cut.add_damaged(damaged(5, 1, 9));
  EXPECT_FALSE(cut.done());
  expect_whole(whole, cut.parts());
}

// A damaged header tells nothing of its block, not even how many records it held.
TEST(HalfCut, GoesRoundABlockOfWhichNothingIsKnown) {
  Claim whole = claim(5, 7, 20);
  whole.end = {BlockNumber{7}, 3};
  BlockInfo unknown;
  unknown.number = BlockNumber{7};
  HalfCut before(whole);
  before.add(block(5, 1, 4));
  before.add_damaged(unknown);
  ASSERT_TRUE(before.done());
  EXPECT_EQ(before.parts().at(0).size, (Counter{4, 40}));
  expect_whole(whole, before.parts());

  whole = claim(5, 8, 20);
  unknown.number = BlockNumber{5};
  HalfCut behind(whole);  // 16 that are not known, 4 good
  behind.add_damaged(unknown);
  EXPECT_FALSE(behind.done());
  behind.add(block(6, 17, 4));
  ASSERT_TRUE(behind.done());
  EXPECT_EQ(behind.parts().at(0).size.records, 16u);
  expect_whole(whole, behind.parts());
}

}  // namespace
}  // namespace edgehose
