// Which source a file belongs to, by which name, and which files are nobody's.
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

// Sources "first" (a.log) and "second" (b.log), over one directory.
class TwoSources : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    second_.name = "second";
    second_.paths = {path("b.log")};
    config.name = "first";
    config.paths = {path("a.log")};
  }
  void TearDown() override {
    stop();
    FileSourceTest::TearDown();
  }
  void start_both() {
    auto made = make_file_sources({config, second_}, store, clock, environment);
    ASSERT_TRUE(made) << made.error().message;
    sources_ = std::move(*made);
  }
  void stop() { sources_.clear(); }
  void serve(Duration time = 30s) {
    if (sources_.empty()) start_both();
    for (const Instant end = clock.now() + time; clock.now() < end; clock.advance(100ms)) {
      sources_[0]->drain(out);
      sources_[1]->drain(of_second_);
    }
  }
  void commit_both() {
    for (const auto& each : sources_) {
      ASSERT_TRUE(each->before_commit());
      auto transaction = store.begin();
      ASSERT_TRUE(each->checkpoint(**transaction));
      ASSERT_TRUE((*transaction)->commit());
      each->settled(true);
    }
  }
  // Each has its own lines, and all of them.
  void expect_each(const std::string& first, const std::string& second) {
    expect_once(first);
    std::swap(out, of_second_);
    expect_once(second);
    std::swap(out, of_second_);
  }
  void write_both(int from, int to) {
    append("a.log", lines("a", from, to));
    append("b.log", lines("b", from, to));
  }

  FileSourceConfig second_;
  Collector of_second_;
  std::vector<std::unique_ptr<Source>> sources_;
};

TEST_F(TwoSources, TheRestOfARenamedFileStaysWithItsSource) {
  write_both(0, 50);
  serve();
  commit_both();
  stop();
  write_both(50, 80);
  shell("mv b.log b.log.1; mv a.log a.log.1");
  write_both(80, 90);
  serve();
  expect_each(lines("a", 0, 90), lines("b", 0, 90));
}

TEST_F(TwoSources, SoDoRotationsThatCameAndWentBetweenLooks) {
  write_both(0, 50);
  serve();
  commit_both();
  stop();
  for (int n = 1; n < 4; ++n) {
    shell(
        "for f in a b; do mv $f.log.1 $f.log.2; gzip -f $f.log.2; mv $f.log $f.log.1; done "
        "2>/dev/null; true");
    write_both(n * 50, n * 50 + 50);
    if (n == 2) serve(5s);
  }
  serve();
  expect_each(lines("a", 0, 200), lines("b", 0, 200));
}

TEST_F(TwoSources, AndCopies) {
  write_both(0, 50);
  serve();
  commit_both();
  stop();
  write_both(50, 80);
  shell("for f in a b; do cp $f.log $f.log.1; : >$f.log; done");
  write_both(80, 90);
  serve();
  expect_each(lines("a", 0, 90), lines("b", 0, 90));
}

class Deselected : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    append("a.log", "a\n");
    append("debug.log", "debug\n");
    settle();
    source.reset();
    append("a.log", "a more\n");
    append("debug.log", "debug more\n");
  }
};

TEST_F(Deselected, ByAnExclusionIsNotReadOn) {
  config.exclude = {"debug.log"};
  settle();
  expect_once("a\na more\ndebug\n");
}

TEST_F(Deselected, ByOtherPathsIsNotReadOn) {
  config.paths = {path("a.log")};
  settle();
  shell("mv debug.log debug.log.1");
  settle();
  expect_once("a\na more\ndebug\n");
}

TEST_F(Deselected, AndSelectedAgainGoesOnWhereItWas) {
  config.paths = {path("a.log")};
  settle();
  source.reset();
  config.paths = {dir + "/*.log"};
  settle();
  expect_once("a\na more\ndebug\ndebug more\n");
}

// By whatever name: read, each line of it would make the next.
TEST_F(FileSourceTest, WhatThisProcessWritesItselfIsNotRead) {
  config.paths = {dir + "/*.log*"};
  append("a.log", "a\n");
  append("own.log", "first words\n");
  const auto own = open_file(path("own.log"), O_WRONLY | O_APPEND);
  ASSERT_TRUE(own);
  environment.output = {own->get()};
  settle();
  ASSERT_EQ(::write(own->get(), "more words\n", 11), 11);
  rename("own.log", "own.log.1");
  append("a.log", "b\n");
  settle();
  expect_once("a\nb\n");
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

TEST_F(Deselected, ByBecomingThisProcesssOwnOutputIsNotReadOn) {
  const auto own = open_file(path("debug.log"), O_WRONLY | O_APPEND);
  ASSERT_TRUE(own);
  environment.output = {own->get()};
  settle();
  expect_once("a\na more\ndebug\n");
  EXPECT_EQ(source->health().losses.lost_bytes, 0u) << "it is all there";
}

// What a person leaves out by its name is read only as the rest of a file that was followed.
TEST_F(FileSourceTest, AnExcludedNeighbourIsNoRotationOfItsOwn) {
  config.paths = {dir + "/*"};
  config.exclude = {"*.bak"};
  append("a.log", lines("a", 0, 50));
  settle();
  append("a.log.bak", "somebody's notes\n");
  settle();
  expect_once(lines("a", 0, 50));
  append("a.log", lines("a", 50, 60));
  shell("mv a.log a.log.bak; echo next >a.log");
  settle();
  expect_once(lines("a", 0, 60) + "next\n");
}

}  // namespace
}  // namespace edgehose::testing
