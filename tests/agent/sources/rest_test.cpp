// Looks that are left out: when they are, and what is found in time nevertheless.
#include <algorithm>

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kFiles = 2000;
constexpr Duration kRest = std::chrono::seconds(kFiles / 50);

// On a tmpfs: a file system of which inotify tells all, wherever the tests run.
class Rest : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    std::filesystem::remove_all(dir);
    std::string name = "/dev/shm/edgehose-sources-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
    std::filesystem::create_directories(path("log"));
    elsewhere = path("elsewhere");
    config.paths = {path("log/*.log")};
  }
  static std::string file(int i) { return "log/file-" + std::to_string(i) + ".log"; }
  static std::string first_line(int i) { return "first of " + std::to_string(i) + "\n"; }

  // Reads `count` files, and lets time pass until they rest.
  void begin(int count = kFiles) {
    for (int i = 0; i < count; ++i) append(file(i), first_line(i));
    run(3s);
    commit();
    ASSERT_EQ(out.got.size(), static_cast<std::size_t>(count));
    out.got.clear();
    run(config.poll_interval + 1s);  // watched before the look that ends here
  }
  // Through a name that is not watched: inotify tells nothing of it.
  void append_unseen(const std::string& name, const std::string& text) {
    std::filesystem::create_hard_link(path(name), elsewhere);
    std::ofstream(elsewhere, std::ios::app | std::ios::binary) << text;
    std::filesystem::remove(elsewhere);
  }
  // Descriptors of this process for paths that contain `part`.
  static int descriptors(const std::string& part) {
    int count = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      count += read_symlink(entry.path(), error).string().find(part) != std::string::npos;
    return count;
  }

  std::string elsewhere;
};

TEST_F(Rest, ManyFilesAreLookedAtLessOften) {
  begin();
  append_unseen(file(77), "unseen\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "");
  run(kRest);
  EXPECT_EQ(text(), "unseen\n");
}

TEST_F(Rest, AFewAreLookedAtAtEveryPollInterval) {
  begin(400);
  append_unseen(file(77), "unseen\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "unseen\n");
}

TEST_F(Rest, NoLongerThanThirtyPollIntervals) {
  config.poll_interval = 500ms;  // 15 s, less than what so many files would rest
  begin();
  append_unseen(file(77), "unseen\n");
  run(10s);
  EXPECT_EQ(text(), "");
  run(6s);
  EXPECT_EQ(text(), "unseen\n");
}

TEST_F(Rest, WithoutInotifyNoLookIsLeftOut) {
  environment.inotify = false;
  begin();
  append(file(77), "late\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "late\n");
}

TEST_F(Rest, NorWhereADirectoryIsNotWatched) {
  std::filesystem::create_directories(path("log/deep"));
  config.paths = {path("log/**/*.log")};
  environment.max_watches = 1;
  begin();
  append("log/deep/a.log", "early\n");
  run(config.poll_interval * 3);
  append("log/deep/a.log", "late\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "early\nlate\n");
}

TEST_F(Rest, NorWithAFileBehindALink) {
  append("target", "one\n");
  std::filesystem::create_symlink(path("target"), path("log/link.log"));
  for (int i = 0; i < kFiles; ++i) append(file(i), first_line(i));
  run(config.poll_interval * 2);
  out.got.clear();
  append("target", "two\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "two\n");
}

TEST_F(Rest, NorWithAFileThatHasASecondName) {
  begin();
  std::filesystem::create_hard_link(path(file(77)), elsewhere);
  run(kRest);
  std::ofstream(elsewhere, std::ios::app) << "through the other name\n";
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "through the other name\n");
}

TEST_F(Rest, WhatInotifyTellsIsReadAtOnce) {
  begin();
  append(file(77), "grown\n");
  append("log/new.log", "new\n");
  append("log/file-5.log", "last words\n");
  rename("log/file-5.log", "log/file-5.log.1");
  append("log/file-5.log", "after rotation\n");
  run(1s);
  expect_once("grown\nnew\nlast words\nafter rotation\n");
}

TEST_F(Rest, AQueueThatRanOverLosesNothing) {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int events = 0;
  limit >> events;
  if (events > 50'000) GTEST_SKIP() << "this machine queues more events than a test makes";
  begin();
  std::string expected;
  for (int made = 0; made <= events; ++made) {
    const std::string line = "line " + std::to_string(made) + "\n";
    append(file(made % kFiles), line);
    expected += line;
  }
  append(file(kFiles - 1), "the last\n");  // no event of it was kept
  run(1s);
  expect_once(expected + "the last\n");
}

TEST_F(Rest, ADirectoryThatIsReplacedIsFoundAndWatched) {
  config.paths = {path("above/log/*.log")};
  std::filesystem::create_directories(path("above"));
  rename("log", "above/log");
  std::filesystem::create_directory_symlink(path("above/log"), path("log"));
  begin();
  rename("above", "away");  // the watched directory itself is not touched
  std::filesystem::create_directories(path("above/log"));
  append("above/log/a.log", "in its place\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(text(), "in its place\n");
  run(config.poll_interval);
  append("above/log/a.log", "told by inotify\n");
  run(1s);
  EXPECT_EQ(text(), "in its place\ntold by inotify\n");
}

TEST_F(Rest, ADeletedFileIsLetGoInTime) {
  begin();
  append(file(77), "last words\n");
  run(1s);
  remove(file(77));
  run(1s);
  ASSERT_EQ(descriptors("file-77.log (deleted)"), 1);
  run(60s + config.poll_interval);
  EXPECT_EQ(descriptors("file-77.log (deleted)"), 0);
}

TEST_F(Rest, WhatAFullBufferKeepsFromBeingReadIsHeldOpen) {
  begin();
  int closed = 0;
  while (descriptors(file(closed)) > 0) ++closed;
  out.room = 0;
  append(file(closed), "unread\n");
  run(config.poll_interval + 1s);
  EXPECT_EQ(descriptors(file(closed)), 1);
}

}  // namespace
}  // namespace edgehose::testing
