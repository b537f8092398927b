// What was read is on the disk before its position is committed. The calls themselves are watched
// here; that they suffice through power cuts is shown by tests/crash/powercut.py.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "tests/agent/sources/harness.h"

namespace {

struct Calls {
  bool syncfs_fails = false;
  bool fuse = false;  // every file system looks like one: a type, and no id
  int syncfs = 0;
  std::map<ino_t, off_t> synced;  // size that each file had at its last fdatasync
} calls;

}  // namespace

// In the place of the C library's.
extern "C" int syncfs(int fd) {
  ++calls.syncfs;
  if (!calls.syncfs_fails) return static_cast<int>(::syscall(SYS_syncfs, fd));
  errno = EIO;
  return -1;
}
extern "C" int fdatasync(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) == 0) calls.synced[info.st_ino] = info.st_size;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" int statfs(const char* path, struct statfs* f) noexcept {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  const int result = ::fstatfs(fd, f);
  ::close(fd);
  if (!calls.fuse || result != 0) return result;
  *f = {};
  f->f_type = FUSE_SUPER_MAGIC;
  return 0;
}

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class DurableInput : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    calls = {};
    config.start_at = StartAt::kBeginning;
  }
  void TearDown() override {
    calls = {};
    FileSourceTest::TearDown();
  }
  void fill(int files) {
    for (int i = 0; i < files; ++i)
      append("f" + std::to_string(i) + ".log", lines("file" + std::to_string(i), 0, 9));
  }
  off_t synced(const std::string& name) const {
    struct stat info {};
    if (::stat(path(name).c_str(), &info) != 0) return -1;
    const auto at = calls.synced.find(info.st_ino);
    return at == calls.synced.end() ? 0 : at->second;
  }
};

TEST_F(DurableInput, IsSyncedAsFarAsItsPosition) {
  append("a.log", lines("a", 0, 9));
  run(1s);
  commit();
  EXPECT_GE(synced("a.log"), static_cast<off_t>(out.got.back().end));
  append("a.log", lines("a", 9, 20));
  run(20s);
  commit();
  EXPECT_EQ(out.got.size(), 20u);
  EXPECT_GE(synced("a.log"), static_cast<off_t>(out.got.back().end));
}

TEST_F(DurableInput, IsNotSyncedAgainWhileNothingOfItMoved) {
  append("a.log", lines("a", 0, 9));
  run(1s);
  commit();
  calls.synced.clear();
  run(1s);
  commit();
  EXPECT_TRUE(calls.synced.empty());
}

TEST_F(DurableInput, IsSyncedUnderItsNewNameToo) {
  append("a.log", lines("a", 0, 9));
  run(1s);
  commit();
  append("a.log", lines("a", 9, 20));
  rename("a.log", "a.log.1");
  run();
  commit();
  EXPECT_EQ(out.got.size(), 20u);
  EXPECT_GE(synced("a.log.1"), static_cast<off_t>(out.got.back().end));
}

TEST_F(DurableInput, OfManyFilesIsSyncedWithTheirFileSystemOnce) {
  fill(40);
  run(1s);
  commit();
  EXPECT_EQ(out.got.size(), 40u * 9);
  EXPECT_EQ(calls.syncfs, 1);
}

TEST_F(DurableInput, OfEachOfTwoFileSystemsThatLookLikeOneIsSynced) {
  struct stat here {
  }, there{};
  std::string other = "/dev/shm/edgehose-sources-XXXXXX";
  ASSERT_NE(::mkdtemp(other.data()), nullptr);
  ASSERT_EQ(::stat(dir.c_str(), &here) + ::stat(other.c_str(), &there), 0);
  ASSERT_NE(here.st_dev, there.st_dev);
  calls.fuse = true;
  config.paths.push_back(other + "/*.log");
  fill(20);
  for (int i = 0; i < 20; ++i)
    std::ofstream(other + "/f" + std::to_string(i) + ".log") << lines("other", 20 * i, 20 * i + 9);
  run(1s);
  commit();
  EXPECT_EQ(out.got.size(), 40u * 9);
  EXPECT_EQ(calls.syncfs, 2);
  std::filesystem::remove_all(other);
}

TEST_F(DurableInput, OfManyFilesIsSyncedOneByOneWhereTheFileSystemCannotBe) {
  calls.syncfs_fails = true;
  fill(40);
  run(1s);
  commit();
  ASSERT_EQ(out.got.size(), 40u * 9);
  for (int i = 0; i < 40; ++i) EXPECT_GT(synced("f" + std::to_string(i) + ".log"), 0) << i;
}

}  // namespace
}  // namespace edgehose::testing
