// Disks that others fill, and file systems that make no holes (root: mounts).
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <fstream>

#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

// ext4 on a loop device, 128 MiB, with data_dir and a ballast file on it.
class SmallDisk : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts a file system";
    mount_ = directory_.path() + "/disk";
    std::filesystem::create_directory(mount_);
    const std::string image = directory_.path() + "/image";
    std::ofstream(image).close();
    std::filesystem::resize_file(image, 128 * kMiB);
    const std::string make = "mkfs.ext4 -q -m 0 " + image + " >/dev/null 2>&1 && mount -o loop " +
                             image + " " + mount_ + " 2>/dev/null";
    mounted_ = std::system(make.c_str()) == 0;
    if (!mounted_) GTEST_SKIP() << "cannot mount a loop device here";
    options_.directory = mount_ + "/data";
    options_.max_size = 512 * kMiB;
    options_.reserve = 16 * kMiB;
    options_.free_disk_percent = 20;
  }
  void TearDown() override {
    SpaceTest::TearDown();
    if (mounted_) ::umount2(mount_.c_str(), MNT_DETACH);
  }
  std::uint64_t free_bytes() const {
    struct statvfs fs {};
    ::statvfs(mount_.c_str(), &fs);
    return std::uint64_t{fs.f_bavail} * fs.f_frsize;
  }
  // Somebody else's file, until `free` bytes are left.
  void fill_disk(std::uint64_t free) {
    std::ofstream ballast(mount_ + "/ballast", std::ios::binary | std::ios::app);
    const std::string chunk(256 << 10, 'b');
    while (ballast && free_bytes() > free) ballast << chunk << std::flush;
    ::sync();
  }
  std::string mount_;
  bool mounted_ = false;
};

TEST_F(SmallDisk, TheFloorStopsIntakeAndRoomBringsItBack) {
  open_with_lane();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  EXPECT_GT(free_bytes(), 18 * kMiB) << "a fifth is left free, but for the reserve";
  EXPECT_GT(raw_.size(), 200u);
  expect_all_readable();
  deliver(BlockNumber(100));
  add(20);  // into pages that the file owns
  fill_disk(0);
  deliver(BlockNumber(200));
  expect_all_readable();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  std::filesystem::remove(mount_ + "/ballast");
  deliver(store_->end_block());
  add(20);
  expect_all_readable();
}

// Nothing is left by others: acknowledgements, trims and a slow intake live off the reserve.
TEST_F(SmallDisk, BelowTheFloorAtInstallationTheReserveKeepsItGoing) {
  fill_disk(22 * kMiB);
  open_with_lane();
  EXPECT_GE(allocated(), 16 * kMiB) << "set aside at once";
  fill_disk(0);
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    EXPECT_GT(raw_.size(), 10u) << "half of the reserve, round " << round;
    expect_all_readable();
    deliver(store_->end_block());
  }
  EXPECT_TRUE(blocks().empty());
  std::filesystem::remove(mount_ + "/ballast");
  add(100);
  expect_all_readable();
}

}  // namespace
}  // namespace edgehose
