// Walks during which names move.
#include "agent/sources/discovery.h"

#include <functional>
#include <set>

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

// Does something once, right before the first look at a file of that name.
class Meanwhile final : public StatCache {
 public:
  Meanwhile(std::string path, std::function<void()> what)
      : path_(std::move(path)), what_(std::move(what)) {}
  Result<FileStat> path(const std::string& path) override {
    if (path == path_) ++looks;
    if (what_ && path == path_) std::exchange(what_, {})();
    return StatCache::path(path);
  }
  int looks = 0;  // at that file, one in each walk

 private:
  std::string path_;
  std::function<void()> what_;
};

// A file is another one at each look at it.
class Replacing final : public StatCache {
 public:
  explicit Replacing(std::string path) : path_(std::move(path)) {}
  Result<FileStat> path(const std::string& path) override {
    if (path == path_) {
      std::ofstream(path_ + ".tmp") << "another";
      std::filesystem::rename(path_ + ".tmp", path_);
      ++replaced;
    }
    return StatCache::path(path);
  }
  int replaced = 0;

 private:
  std::string path_;
};

class ADiscovery : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    for (const char* name : {"a.log", "a.log.1", "a.log.2"}) append(name, name);
  }
  void rotate() {
    rename("a.log.2", "a.log.3");
    rename("a.log.1", "a.log.2");
    rename("a.log", "a.log.1");
    append("a.log", "new");
  }
  std::set<std::uint64_t> inodes() {
    std::set<std::uint64_t> all;
    StatCache stats;
    for (const auto& entry : std::filesystem::directory_iterator(dir))
      all.insert(stats.path(entry.path())->inode);
    return all;
  }
  std::set<std::uint64_t> found(StatCache& stats, const std::string& glob,
                                const std::vector<std::string>& followed = {}) {
    const auto selection = parse_selection({dir + glob}, {});
    std::set<std::uint64_t> all;
    for (const FoundFile& file : discover({*selection}, followed, stats).files)
      all.insert(file.stat.inode);
    return all;
  }
};

TEST_F(ADiscovery, MissesNoFileInARotationWhileItWalks) {
  for (const char* glob : {"/a.log*", "/a.log"})  // what this one does not name is a neighbour
    for (const char* name : {"a.log", "a.log.1", "a.log.2"}) {
      Meanwhile stats(path(name), [this] { rotate(); });
      const std::set<std::uint64_t> seen = found(stats, glob, {path("a.log")});
      EXPECT_EQ(seen, inodes()) << "rotated before the look at " << name << ", " << glob;
      remove("a.log.3");
    }
}

TEST_F(ADiscovery, MissesNoFileThatLeavesItsNameWhileItWalks) {
  Meanwhile stats(path("a.log.2"), [this] { rename("a.log.2", "a.log.3"); });
  EXPECT_EQ(found(stats, "/a.log*"), inodes());
}

TEST_F(ADiscovery, WalksOnceWhereNoNameMoves) {
  append("written.log", "");
  std::filesystem::create_symlink(path("nowhere"), path("a.log.9"));
  Meanwhile quiet(path("a.log"), [this] { append("a.log", "more"); });
  found(quiet, "/a.log*");
  EXPECT_EQ(quiet.looks, 1);
  Meanwhile created(path("a.log"), [this] { append("another.log", "more"); });
  found(created, "/a.log*");
  EXPECT_EQ(created.looks, 1);
  Meanwhile rotated(path("a.log"), [this] { rotate(); });
  found(rotated, "/a.log*");
  EXPECT_EQ(rotated.looks, 2);
}

// As a file does that is mounted over another one.
TEST_F(ADiscovery, BelievesANumberThatDiffersFromTheListedOneForEver) {
  class Mounted final : public StatCache {
   public:
    explicit Mounted(std::string path) : path_(std::move(path)) {}
    Result<FileStat> path(const std::string& path) override {
      auto stat = StatCache::path(path);
      if (path != path_ || !stat) return stat;
      ++looks;
      stat->inode += 1'000'000;
      return stat;
    }
    int looks = 0;

   private:
    std::string path_;
  } stats(path("a.log"));
  EXPECT_EQ(found(stats, "/a.log*").size(), 3u);
  EXPECT_EQ(stats.looks, 2);
}

TEST_F(ADiscovery, EndsWhereNamesMoveAllTheTime) {
  Replacing stats(path("a.log"));
  EXPECT_EQ(found(stats, "/a.log*").size(), 3u);
  EXPECT_EQ(stats.replaced, 4);
}

// Whether or not it tells of them.
TEST_F(ADiscovery, EndsSoonerWhereManyFilesAreListed) {
  for (int i = 0; i < 2000; ++i) append("other" + std::to_string(i), "");
  Replacing stats(path("a.log"));
  EXPECT_EQ(found(stats, "/a.log*").size(), 3u);
  EXPECT_EQ(stats.replaced, 2);
}

// A directory is watched once it was listed.
TEST_F(ADiscovery, IsRepeatedWhereADirectoryChangedBeforeItWasWatched) {
  append("a.log", "\n");
  int asked = 0;
  const InterruptingClock interrupting(clock, [&] {
    if (++asked == 2) append("b.log", "b\n");  // the walk is over
  });
  start(interrupting);
  drain();
  EXPECT_GE(asked, 2);
  EXPECT_FALSE(source->caught_up()) << "run --once would end";
  run(1s);
  EXPECT_NE(text().find("b\n"), std::string::npos);
}

}  // namespace
}  // namespace edgehose::testing
