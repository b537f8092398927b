// Which of a file's bytes the disk holds, and setting blocks aside: how much, how often it is tried
// again (root: mounts).
#include <dlfcn.h>
#include <fcntl.h>

#include "agent/base/file.h"
#include "buffer/disk_room.h"
#include "tests/buffer/filled_disk.h"

namespace {

int fallocates = 0;       // calls
int fallocate_error = 0;  // of each; 0: the file system's own answer

using Fallocate = int (*)(int fd, int mode, off64_t offset, off64_t length);

}  // namespace

// In the place of the C library's, which knows how 64 bits are passed on a machine of 32.
extern "C" int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  static const auto own = reinterpret_cast<Fallocate>(::dlsym(RTLD_NEXT, "fallocate64"));
  ++fallocates;
  errno = fallocate_error;
  return fallocate_error == 0 ? own(fd, mode, offset, length) : -1;
}

namespace edgehose {
namespace {

// --- a file's blocks -----------------------------------------------------------------------------

class Blocks : public FilledDisk {
 protected:
  // Four pages, the second of them a hole where that is asked for.
  FileDescriptor file(bool hole) {
    auto fd = open_file(disk_.path() + "/file", O_RDWR | O_CREAT);
    EXPECT_TRUE(fd);
    const std::string page(4096, 'x');
    for (const off_t offset : {0, 4096, 8192, 12288}) {
      if (offset == 4096 && hole) continue;
      EXPECT_EQ(::pwrite(fd->get(), page.data(), page.size(), offset), 4096);
    }
    EXPECT_EQ(::fsync(fd->get()), 0);
    return std::move(*fd);
  }
};
INSTANTIATE_TEST_SUITE_P(, Blocks, testing::Values(kExt4, kExt2, kTmpfs), name_of);

TEST_P(Blocks, HolesAreNotAllocated) {
  if (GetParam().name == kTmpfs.name) GTEST_SKIP() << "tmpfs does not list a file's blocks";
  const FileDescriptor fd = file(true);
  EXPECT_EQ(unallocated_bytes(fd.get(), 0, 16384), 4096u);
  EXPECT_EQ(unallocated_bytes(fd.get(), 4096, 4096), 4096u);
}

TEST_P(Blocks, WhatLiesBeyondTheEndIsNotAllocated) {
  const FileDescriptor fd = file(false);
  EXPECT_EQ(unallocated_bytes(fd.get(), 0, 16384), 0u);
  EXPECT_EQ(unallocated_bytes(fd.get(), 8192, 1 << 20), (1u << 20) - 8192);
  EXPECT_EQ(unallocated_bytes(fd.get(), 1 << 20, 4096), 4096u);
}

TEST_P(Blocks, WhatIsSetAsideIsAllocated) {
  const FileDescriptor fd = file(false);
  const Status given = set_aside(fd.get(), 16384, 65536);
  if (GetParam().name == kExt2.name) {
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, ErrorCode::kUnsupported) << given.error().message;
    return;
  }
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(unallocated_bytes(fd.get(), 8192, 65536), 0u);
  EXPECT_EQ(unallocated_bytes(fd.get(), 8192, 1 << 20), (1u << 20) - 8192 - 65536);
  EXPECT_EQ(unallocated_bytes(fd.get(), 32768, 1 << 20), (1u << 20) - (81920 - 32768));
  EXPECT_EQ(unallocated_bytes(fd.get(), 1 << 20, 4096), 4096u);
}

TEST_P(Blocks, AFullDiskIsTold) {
  const FileDescriptor fd = file(false);
  EXPECT_FALSE(has_no_room(disk_.path(), 1 << 20));
  disk_.fill(0);
  EXPECT_TRUE(has_no_room(disk_.path(), 1 << 20));
  if (GetParam().name == kExt2.name) return;
  EXPECT_EQ(set_aside(fd.get(), 1 << 20, 1 << 20).error().code, ErrorCode::kFull);
}

// What is missing may lie in front of what is there.
TEST_P(Blocks, ABeginningIsCutToWhatItMayTake) {
  if (GetParam().name != kExt4.name) GTEST_SKIP() << "one file system will do";
  const FileDescriptor fd = file(false);
  ASSERT_TRUE(set_aside(fd.get(), 16384 + 40960, 40960));
  const auto length = [&](std::uint64_t spare) {
    return affordable_length(fd.get(), 16384, 122'880, spare);
  };
  EXPECT_EQ(length(0), 0u);
  EXPECT_EQ(length(8192), 8192u);
  EXPECT_EQ(length(40960), 81920u) << "with what is there behind it";
  EXPECT_EQ(length(45056), 86016u);
  EXPECT_EQ(length(1 << 20), 122'880u);
}

// --- the store's reserve -------------------------------------------------------------------------

class Reserve : public FilledDisk {
 protected:
  void SetUp() override {
    FilledDisk::SetUp();
    fallocate_error = 0;
    options_.reserve = 4 * kMiB;
  }
  void TearDown() override {
    fallocate_error = 0;
    FilledDisk::TearDown();
  }
  // A commit's worth; how often it asked for blocks.
  int asked_by_taking_in(int error = 0) {
    const int before = fallocates;
    fallocate_error = error;
    EXPECT_EQ(take_in().message, "");
    fallocate_error = 0;
    return fallocates - before;
  }
};
INSTANTIATE_TEST_SUITE_P(, Reserve, testing::Values(kExt4), name_of);

TEST_P(Reserve, IsNotRenewedFromBelowTheFloor) {
  options_.reserve = 16 * kMiB;
  open_with_lane();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(take_in().message, "");
  // A gap at the file's end, and the reserve behind it.
  const auto fd = open_file(environment(), O_RDWR);
  ASSERT_TRUE(fd);
  const auto end = static_cast<off_t>(file_size());
  ASSERT_EQ(::ftruncate(fd->get(), end), 0);
  ASSERT_TRUE(set_aside(fd->get(), static_cast<std::uint64_t>(end) + 4 * kMiB, 11 * kMiB));
  disk_.fill(floor_ + 3 * kMiB);
  ASSERT_EQ(take_in().message, "");
  EXPECT_GT(disk_.free_bytes(), floor_ - 64'000);
}

TEST_P(Reserve, IsRenewedAgainAfterAnErrorOfTheDisk) {
  open_with_lane();
  EXPECT_EQ(asked_by_taking_in(EIO), 1);
  EXPECT_EQ(asked_by_taking_in(), 1);
}

TEST_P(Reserve, IsGivenUpWhereTheFileSystemSetsNoneAside) {
  open_with_lane();
  EXPECT_EQ(asked_by_taking_in(EOPNOTSUPP), 1);
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(asked_by_taking_in(), 0);
}

// As under a quota, where much seems to be free.
TEST_P(Reserve, IsAskedForOnceAMinuteWhereItIsRefused) {
  open_with_lane();
  EXPECT_EQ(asked_by_taking_in(EDQUOT), 1);
  const int before = fallocates;
  EXPECT_EQ(take_in().code, ErrorCode::kFull) << "half of it stays for acknowledgements";
  EXPECT_EQ(fallocates, before);
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(asked_by_taking_in(), 1);
}

}  // namespace
}  // namespace edgehose
