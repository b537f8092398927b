// A disk that others fill while the buffer is in use: what is left to them, what acknowledgements
// live off, and that no space is no error of the disk (root: mounts ext4).
#include "buffer/disk_room.h"

#include "buffer/lmdb.h"
#include "tests/buffer/filled_disk.h"

namespace edgehose {
namespace {

TEST(DiskRoom, KeepsTheReserveAboveTheFloorAndHalfOfItBelow) {
  DiskRoom disk;
  disk.owned = 20;
  disk.above_floor = 100;
  EXPECT_EQ(disk.room(16), 104);
  disk.above_floor = 0;
  EXPECT_EQ(disk.room(16), 12);
  disk.owned = 5;
  EXPECT_LT(disk.room(16), 0);
  EXPECT_EQ(disk.room(0), 5);
}

INSTANTIATE_TEST_SUITE_P(, FilledDisk, testing::Values(kExt4, kExt2, kTmpfs), name_of);

class FilledDiskWithReserve : public FilledDisk {};
INSTANTIATE_TEST_SUITE_P(, FilledDiskWithReserve, testing::Values(kExt4, kTmpfs), name_of);

TEST_P(FilledDisk, WhatIsLeftToOthersIsNotTaken) {
  open_with_lane();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take_in().message, "");
  disk_.fill(floor_ + 150'000);
  take_in_all();
  EXPECT_GT(disk_.free_bytes(), floor_ - 64'000) << "what a commit adds counts";
  disk_.clear();
  EXPECT_GT(take_in_all(), 0) << "goes on by itself";
  EXPECT_GT(disk_.free_bytes(), floor_ - 64'000);
  expect_all_readable();
}

TEST_P(FilledDiskWithReserve, HalfOfItIsTakenInBelowTheFloor) {
  open_with_lane();
  disk_.fill(floor_ / 2);
  const std::uint64_t free = disk_.free_bytes();
  EXPECT_GE(take_in_all(), 3);
  EXPECT_GT(disk_.free_bytes(), free - 64'000);
}

TEST_P(FilledDiskWithReserve, AcknowledgementsGoOnWhenOthersTakeTheRest) {
  for (const unsigned percent : {10u, 0u}) {
    options_.free_disk_percent = percent;
    open_with_lane();
    while (store_->usage().used < 24 * kMiB) ASSERT_EQ(take_in().message, "");
    disk_.fill(floor_ / 2);
    take_in_all();
    disk_.fill(0);
    take_in_all();
    expect_all_readable();
    for (int round = 0; round < 5; ++round) {
      while (blocks().size() > 10) deliver(BlockNumber(lane(lane_).cursor.block.value + 10));
      deliver(store_->end_block());
      EXPECT_TRUE(blocks().empty());
      EXPECT_GT(take_in_all(), 0) << "what is delivered makes room, round " << round;
      expect_all_readable();
    }
    deliver(store_->end_block());
    disk_.clear();
    ASSERT_TRUE(store_->close());
  }
}

// What was given back to the disk is not the reserve.
TEST_P(FilledDiskWithReserve, TheReserveIsUsedBeforeHoles) {
  if (GetParam().name == kTmpfs.name) GTEST_SKIP() << "holes are not known where none are listed";
  options_.max_size = 30 * kMiB;
  open_with_lane();
  while (store_->usage().used < 26 * kMiB) ASSERT_EQ(take_in().message, "");
  deliver_all_but(2);
  add(2);
  const std::uint64_t before = allocated();
  store_->maintain();
  ASSERT_LT(allocated(), before) << "punched";
  disk_.fill(0);
  for (int round = 0; round < 20; ++round) {
    add(1, 3000);
    deliver(store_->end_block());
  }
  EXPECT_GT(take_in_all(), 0);
  deliver(store_->end_block());
  EXPECT_TRUE(blocks().empty());
}

// LMDB has EIO for a write that was cut short.
TEST_P(FilledDisk, AWriteThatIsCutShortIsNoSpace) {
  const std::string path = disk_.path() + "/plain.mdb";
  ASSERT_TRUE(lmdb::Environment::create(path, [](lmdb::Transaction&) { return Status{}; }));
  auto env = lmdb::Environment::open(path, 32 * kMiB, false);
  ASSERT_TRUE(env);
  auto txn = env->begin_write();
  ASSERT_TRUE(txn);
  for (const std::string key : {"a", "b", "c", "d"})
    ASSERT_TRUE(txn->put(key, std::string(250'000, 'x')));
  disk_.fill(100'000);
  const Status committed = txn->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kFull) << committed.error().message;
  EXPECT_THAT(committed.error().message, testing::HasSubstr("No space left on device"));
}

TEST_P(FilledDisk, OthersThatAreQuickerLeaveTheStoreUsable) {
  options_.free_disk_percent = 0;
  options_.reserve = 0;
  open_with_lane();
  add(2);
  {
    const auto txn = begin();
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(txn->append(noise(source_, 250'000, ++seed_)));
    disk_.fill(100'000);  // after the store looked
    const Status committed = txn->commit();
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, ErrorCode::kFull) << committed.error().message;
  }
  expect_all_readable();
  disk_.clear();
  add(8);
  expect_all_readable();
}

// Enough is free inside of the file, but nowhere enough in a row for a block: the file would grow.
TEST_P(FilledDisk, WhatIsLeftToOthersIsNotTakenForWantOfPagesInARow) {
  if (GetParam().name != kExt4.name) GTEST_SKIP() << "one file system will do";
  options_.reserve = 0;
  open_with_lane();
  const SourceId gone = store_->source_id("gone");
  for (int i = 0; i < 80; ++i) {
    add(1, 100'000);
    append(noise(gone, 100'000, static_cast<std::uint64_t>(i)));
  }
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->forget_source(gone));
    ASSERT_TRUE(txn->commit());
  }
  add(1, 3000);  // what was freed is given out from now on
  disk_.fill(floor_ + 20'000);
  EXPECT_EQ(take_in().code, ErrorCode::kFull);
  EXPECT_GT(disk_.free_bytes(), floor_ - 64'000);
}

// What one commit freed LMDB gives out two commits later, whoever opens the buffer in between.
class FilledToTheLimit : public FilledDisk {
 protected:
  static constexpr std::uint64_t kForSmallCommits = 200'000;
  void fill_without_reserve() {
    options_.reserve = 0;
    options_.free_disk_percent = 0;
    open_with_lane();
    while (store_->usage().used < 30 * kMiB) ASSERT_EQ(take_in().message, "");
  }
  // As intake does when it was refused: a commit of what has come back from sinks, here nothing.
  void expect_room_two_commits_later() {
    EXPECT_EQ(take_in().code, ErrorCode::kFull) << "else this shows nothing";
    ASSERT_TRUE(begin()->commit());
    EXPECT_EQ(take_in().message, "");
    expect_all_readable();
  }
};
INSTANTIATE_TEST_SUITE_P(, FilledToTheLimit, testing::Values(kExt4), name_of);

TEST_P(FilledToTheLimit, WhatWasDeliveredBeforeAKillMakesRoom) {
  fill_without_reserve();
  disk_.fill(kForSmallCommits);
  deliver(store_->end_block());
  store_.reset();  // without close()
  open();
  expect_room_two_commits_later();
}

TEST_P(FilledToTheLimit, DeadLettersThatGoMakeRoom) {
  fill_without_reserve();
  const Claim claim = claim_blocks(lane_, lane(lane_).cursor.block, store_->end_block());
  Acknowledgement ack{.claim = claim.id, .dead = {}, .unreadable = {}};
  for (std::uint64_t i = 0; i < 12; ++i) {
    DeadLetter letter;
    letter.sequence = Sequence(i);
    letter.body = std::string(250'000, 'x');
    ack.dead.push_back(letter);
  }
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->acknowledge(ack));
    ASSERT_TRUE(txn->commit());
  }
  std::vector<std::uint64_t> letters;
  ASSERT_TRUE(store_->for_each_dead_letter([&](const DeadLetter& letter) {
    letters.push_back(letter.id);
    return true;
  }));
  ASSERT_EQ(letters.size(), ack.dead.size());
  disk_.fill(kForSmallCommits);
  {
    const auto txn = begin();
    for (const std::uint64_t id : letters) ASSERT_TRUE(txn->erase_dead_letter(id));
    ASSERT_TRUE(txn->commit());
  }
  expect_room_two_commits_later();
}

}  // namespace
}  // namespace edgehose
