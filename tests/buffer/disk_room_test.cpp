// A disk that others fill while the buffer is in use: what is left to them, what acknowledgements
// live off, and that no space is no error of the disk (root: mounts ext4).
#include "buffer/disk_room.h"

#include <fcntl.h>

#include <cerrno>

#include "agent/base/file.h"
#include "buffer/lmdb.h"
#include "tests/buffer/mounted_disk.h"
#include "tests/buffer/space_fixture.h"

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

class FilledDisk : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (!disk_.mount(directory_.path(), 64 * kMiB, kMountExt4))
      GTEST_SKIP() << "needs root and a loop device: mounts ext4";
    options_.directory = disk_.path() + "/data";
    options_.max_size = 60 * kMiB;
    options_.free_disk_percent = 10;
    struct statvfs fs {};
    ::statvfs(disk_.path().c_str(), &fs);
    floor_ = std::uint64_t{fs.f_blocks} * fs.f_frsize / 10;
  }
  // As intake does: a commit's worth at once, taken back as a whole where it does not fit.
  Error take_in() {
    const auto txn = begin();
    std::map<BlockNumber, std::uint64_t> taken;
    Status status;
    for (int i = 0; i < 8 && status; ++i) {
      const auto info = txn->append(noise(source_, 250'000, ++seed_));
      if (info)
        taken[info->number] = seed_;
      else
        status = tl::unexpected(info.error());
    }
    if (status) status = txn->commit();
    if (!status) return status.error();
    raw_.merge(taken);
    return {};
  }
  // Until there is no room; how often there was.
  int take_in_all() {
    for (int commits = 0;; ++commits) {
      const Error error = take_in();
      if (error.message.empty()) continue;
      EXPECT_EQ(error.code, ErrorCode::kFull) << error.message;
      EXPECT_EQ(error.sys, ENOSPC) << error.message;
      return commits;
    }
  }
  MountedDisk disk_;
  std::uint64_t floor_ = 0;
};

TEST_F(FilledDisk, WhatIsLeftToOthersIsNotTaken) {
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

TEST_F(FilledDisk, AcknowledgementsGoOnWhenOthersTakeTheRest) {
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
TEST_F(FilledDisk, TheReserveIsUsedBeforeHoles) {
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
TEST_F(FilledDisk, AWriteThatIsCutShortIsNoSpace) {
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

TEST_F(FilledDisk, OthersThatAreQuickerLeaveTheStoreUsable) {
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

TEST_F(FilledDisk, HolesAndWhatLiesBeyondTheEndAreNotAllocated) {
  const auto fd = open_file(disk_.path() + "/file", O_RDWR | O_CREAT);
  ASSERT_TRUE(fd);
  const std::string page(4096, 'x');
  for (const off_t offset : {0, 8192, 12288})
    ASSERT_EQ(::pwrite(fd->get(), page.data(), page.size(), offset), 4096);
  ASSERT_EQ(::fsync(fd->get()), 0);
  EXPECT_EQ(unallocated_bytes(fd->get(), 0, 16384), 4096u);
  EXPECT_EQ(unallocated_bytes(fd->get(), 4096, 4096), 4096u);
  EXPECT_EQ(unallocated_bytes(fd->get(), 8192, 1 << 20), (1u << 20) - 8192);
  ASSERT_TRUE(set_aside(fd->get(), 16384, 65536));
  EXPECT_EQ(unallocated_bytes(fd->get(), 8192, 1 << 20), (1u << 20) - 8192 - 65536);
  EXPECT_FALSE(has_no_room(disk_.path(), 1 << 20));
  disk_.fill(0);
  EXPECT_TRUE(has_no_room(disk_.path(), 1 << 20));
  EXPECT_EQ(set_aside(fd->get(), 1 << 20, 1 << 20).error().code, ErrorCode::kFull);
}

}  // namespace
}  // namespace edgehose
