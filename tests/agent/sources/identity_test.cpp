// Who a file is, by its stat.
#include "agent/sources/identity.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgehose {
namespace {

TEST(FileStat, HasTimesOutOfRangeAtTheBoundsOfIt) {
  std::string path = "/dev/shm/edgehose-identity-XXXXXX";  // tmpfs: it takes any time
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::unlink(path.c_str());
  const auto mtime = [&](std::int64_t seconds) {
    const timespec times[] = {{0, 0}, {static_cast<time_t>(seconds), 0}};
    EXPECT_EQ(::futimens(fd, times), 0);
    return StatCache().descriptor(fd)->mtime_ns;
  };
  EXPECT_EQ(mtime(1'700'000'000), 1'700'000'000'000'000'000);
  constexpr std::int64_t kNow = 1'700'000'000'000'000'000;
  EXPECT_GT(mtime(19'880'899'200), kNow) << "the year 2600";
  EXPECT_LT(mtime(-11'676'096'000), 0) << "the year 1600";
  EXPECT_GT(mtime(-11'676'096'000), kNow - INT64_MAX) << "now less it is in range";
  ::close(fd);
}

TEST(KnownInodes, CountWhereTheFileSystemHasAnIdAndTheBirthIsTheSame) {
  FileStat stat;
  stat.filesystem = 7;
  stat.inode = 12;
  stat.birth_ns = 500;
  KnownInodes inodes;
  EXPECT_FALSE(inodes.contains(stat));
  inodes.add(identity_of(stat, {}));
  EXPECT_TRUE(inodes.contains(stat));
  FileStat other = stat;
  other.birth_ns = 501;
  EXPECT_FALSE(inodes.contains(other)) << "born again";
  other = stat;
  other.filesystem = 8;
  EXPECT_FALSE(inodes.contains(other));
  other = stat;
  other.numbered = false;  // `filesystem` is a type: another mount of it has the same numbers
  EXPECT_FALSE(inodes.contains(other));
}

}  // namespace
}  // namespace edgehose
