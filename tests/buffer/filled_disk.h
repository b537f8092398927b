// A buffer on a small disk that others fill (root: mounts).
#pragma once

#include <cerrno>
#include <ostream>
#include <string>

#include "tests/buffer/mounted_disk.h"
#include "tests/buffer/space_fixture.h"

namespace edgehose {

struct Disk {
  const char* name;
  const char* mount;
};
inline void PrintTo(const Disk& disk, std::ostream* out) { *out << disk.name; }
inline constexpr Disk kExt4{"ext4", kMountExt4};
// Sets no blocks aside.
inline constexpr Disk kExt2{"ext2", "mkfs.ext2 -q -m 0 $1 && mount -t ext2 -o loop $1 $2"};
// Sets blocks aside, and does not list them.
inline constexpr Disk kTmpfs{"tmpfs", "mount -t tmpfs -o size=64m none $2"};

class FilledDisk : public SpaceTest, public testing::WithParamInterface<Disk> {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (!disk_.mount(directory_.path(), 64 * kMiB, GetParam().mount))
      GTEST_SKIP() << "needs root: mounts " << GetParam().name;
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

inline std::string name_of(const testing::TestParamInfo<Disk>& disk) { return disk.param.name; }

}  // namespace edgehose
