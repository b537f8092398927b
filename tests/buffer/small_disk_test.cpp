// Disks that others fill, and file systems that make no holes (root: mounts).
#include <fstream>

#include "buffer/lmdb.h"
#include "tests/buffer/mounted_disk.h"
#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

// data_dir on a file system of its own.
class Mounted : public SpaceTest {
 protected:
  bool mount(const char* how) {
    options_.directory = directory_.path() + "/disk/data";
    return disk_.mount(directory_.path(), 128 * kMiB, how);
  }
  // Unclean, and without its meta pages.
  void stop_and_damage() {
    store_->maintain();  // the copies outside
    store_.reset();
    std::fstream file(environment(), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(2 * lmdb::kPageBytes, '\0');
  }
  MountedDisk disk_;
};

class SmallDisk : public Mounted {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (!mount(kMountExt4)) GTEST_SKIP() << "needs root and a loop device: mounts ext4";
    options_.max_size = 512 * kMiB;
    options_.reserve = 16 * kMiB;
    options_.free_disk_percent = 20;
  }
};

TEST_F(SmallDisk, TheFloorStopsIntakeAndRoomBringsItBack) {
  open_with_lane();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  struct statvfs fs {};
  ::statvfs(disk_.path().c_str(), &fs);
  const std::uint64_t floor = std::uint64_t{fs.f_blocks} * fs.f_frsize / 5;
  EXPECT_GT(disk_.free_bytes(), floor - 64'000);
  EXPECT_GT(raw_.size(), 200u);
  expect_all_readable();
  deliver(BlockNumber(100));
  add(20);  // into pages that the file owns
  disk_.fill(0);
  deliver(BlockNumber(200));
  expect_all_readable();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  disk_.clear();
  deliver(store_->end_block());
  add(20);
  expect_all_readable();
}

// Nothing is left by others: acknowledgements, trims and a slow intake live off the reserve.
TEST_F(SmallDisk, BelowTheFloorAtInstallationTheReserveKeepsItGoing) {
  disk_.fill(22 * kMiB);
  open_with_lane();
  EXPECT_GE(allocated(), 16 * kMiB) << "set aside at once";
  disk_.fill(0);
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    EXPECT_GT(raw_.size(), 10u) << "half of the reserve, round " << round;
    expect_all_readable();
    deliver(store_->end_block());
  }
  EXPECT_TRUE(blocks().empty());
  disk_.clear();
  add(100);
  expect_all_readable();
}

// Far below the floor there is room for references all the same.
TEST_F(SmallDisk, ADamagedBufferIsSalvagedBelowTheFloor) {
  open_with_lane();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  stop_and_damage();
  disk_.fill(2 * kMiB);
  open();
  expect_all_readable();
  EXPECT_EQ(store_->usage().salvaged_records, raw_.size());
  deliver(store_->end_block());
  store_->maintain();
  EXPECT_TRUE(blocks().empty());
  EXPECT_GT(disk_.free_bytes(), 30 * kMiB) << "punched out as it was delivered";
}

// Its lock file is gone, as after a boot from an image: LMDB maps a new one, and a page of it for
// which the disk has no room would be a signal.
TEST_F(SmallDisk, AFullDiskWithoutALockFileIsToldOrWorks) {
  open_with_lane();
  add(50);
  ASSERT_TRUE(store_->close());
  store_.reset();
  std::filesystem::remove(environment() + "-lock");
  disk_.fill(0);
  if (const auto opened = Store::open(options_, clock_); !opened) {
    EXPECT_EQ(opened.error().code, ErrorCode::kFull) << opened.error().message;
  }
  disk_.clear();
  open();
  expect_all_readable();
}

// FAT, or memory where this kernel has no FAT: neither makes holes, nor sets blocks aside.
class NoHoles : public Mounted {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    const char* const how =
        "mkfs.vfat $1 && mount -o loop $1 $2 || mount -t ramfs -o mode=700 none $2";
    if (!mount(how)) GTEST_SKIP() << "needs root: mounts vfat or ramfs";
    options_.max_size = 64 * kMiB;
  }
};

TEST_F(NoHoles, WhatIsDeliveredIsUsedAgain) {
  open_with_lane();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  const std::uint64_t length = file_size();
  for (int round = 0; round < 3; ++round) {
    deliver(store_->end_block());
    store_->maintain();
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    expect_all_readable();
  }
  EXPECT_LE(file_size(), length + length / 4 + kMiB);
  ASSERT_TRUE(store_->close());
  open();
  expect_all_readable();
}

// Of a damaged file nothing can be given back before it goes: what is still held counts.
TEST_F(NoHoles, ADamagedFileIsDeliveredFromAndLetGo) {
  open_with_lane();
  add(100);
  stop_and_damage();
  open();
  EXPECT_EQ(store_->usage().salvaged_records, raw_.size());
  expect_all_readable();
  deliver(BlockNumber(50));
  const std::uint64_t used = store_->usage().used;
  add(20);
  EXPECT_LT(store_->usage().used, options_.max_size) << used;
  expect_all_readable();
  deliver(store_->end_block());
  store_->maintain();
  EXPECT_TRUE(blocks().empty());
  EXPECT_EQ(store_->usage().archived_blocks, 0u);
}

}  // namespace
}  // namespace edgehose
