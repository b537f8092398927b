// What was read is on the disk before its position is committed. The calls themselves are watched
// here; that they suffice through power cuts is shown by tests/crash/powercut.py.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "tests/agent/sources/harness.h"

namespace {

struct Calls {
  bool syncfs_fails = false;
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
