// Several rotations between two looks: what comes first, and what is held before it is deleted.
#include "agent/sources/file_table.h"

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class OldestFirst : public FileSourceTest {
 protected:
  // Rotations that nobody saw; a.log is written after each, at the second that follows.
  void rotate_often() {
    for (int r = 0; r < 4; ++r) {
      for (int i = 4; i > 0; --i)
        if (std::filesystem::exists(path("a.log." + std::to_string(i))))
          rename("a.log." + std::to_string(i), "a.log." + std::to_string(i + 1));
      rename("a.log", "a.log.1");
      write_some("a.log");
    }
  }
  void write_some(const std::string& name) {
    append(name, lines("a", written_, written_ + 10));
    written_ += 10;
    std::filesystem::last_write_time(
        path(name), std::filesystem::file_time_type{} + std::chrono::seconds(written_));
  }
  int written_ = 0;
};

TEST_F(OldestFirst, AfterAStopWithSeveralRotations) {
  write_some("a.log");
  settle();
  source.reset();
  write_some("a.log");
  rotate_often();
  run(3s);
  EXPECT_EQ(text(), lines("a", 0, written_));
}

TEST_F(OldestFirst, AfterSeveralRotationsBetweenTwoLooks) {
  environment.inotify = false;
  write_some("a.log");
  run(1s);
  rotate_often();
  run(config.poll_interval + 3s);
  EXPECT_EQ(text(), lines("a", 0, written_));
}

// It may be a copy as well, and waits until it is clear: what is younger waits with it.
TEST_F(OldestFirst, AlsoWhatItsWriterBeginsInARotation) {
  append("a.log", "");
  settle();
  rename("a.log", "a.log.1");
  settle();
  write_some("a.log.1");
  write_some("a.log");
  run(5s);
  EXPECT_EQ(text(), lines("a", 0, written_));
}

// What is still written to under a rotated name is waited for, but not for ever.
TEST_F(OldestFirst, AtMostForAWhile) {
  write_some("a.log");
  settle();
  source.reset();
  rename("a.log", "a.log.2");
  for (const Instant begin = clock.now(); clock.now() - begin < kHoldBack + 3s;) {
    append("a.log.1", "of an old writer\n");
    append("a.log", "of a new one\n");
    const std::size_t before = out.got.size();
    run(1s);
    EXPECT_EQ(out.got.size() > before, clock.now() - begin > kHoldBack);
  }
  EXPECT_EQ(out.got.back().body, "of a new one");
}

// A rotator that keeps a.log.1 and a.log.2.
class FastRotations : public FileSourceTest {
 protected:
  void rotate() {
    if (std::filesystem::exists(path("a.log.1"))) rename("a.log.1", "a.log.2");
    rename("a.log", "a.log.1");
    append("a.log", "");
  }
  void write_some(int count = 20) {
    append("a.log", lines("a", written_, written_ + count));
    written_ += count;
  }
  void expect_all() const { expect_once(lines("a", 0, written_)); }
  static std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  }
  int written_ = 0;
};

TEST_F(FastRotations, SeveralBetweenLooksWithTwoKept) {
  for (const std::uint64_t descriptors : {64, 12}) {
    config.max_open_files = descriptors;
    write_some();
    run(1s);
    const auto open = FastRotations::descriptors();
    for (int i = 0; i < 100; ++i) {
      write_some();
      rotate();
      if (i % 7 == 3)
        append("a.log.1", "the writer was slow to reopen " + std::to_string(i) + "\n");
      if (i % 2 == 1) run(100ms);  // a look each second rotation
      EXPECT_LE(FastRotations::descriptors(), open + static_cast<long>(descriptors));
    }
    run();
    std::string all = lines("a", 0, written_);
    for (int i = 3; i < 100; i += 7)
      all += "the writer was slow to reopen " + std::to_string(i) + "\n";
    expect_once(all);
    EXPECT_EQ(source->health().losses.lost_bytes, 0u);
    TearDown();
    SetUp();
    out.got.clear();
    store.files.clear();
    written_ = 0;
  }
}

TEST_F(FastRotations, WhileTheBufferIsFull) {
  config.max_open_files = 64;
  write_some();
  run(1s);
  out.room = 0;
  for (int i = 0; i < 15; ++i) {  // held: a quarter of the descriptors
    write_some();
    rotate();
    run(100ms);
  }
  EXPECT_EQ(out.got.size(), 20u);
  out.room = SIZE_MAX;
  run();
  expect_all();
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

TEST_F(FastRotations, WhatTheBoundGivesUpIsCountedToTheByte) {
  config.max_open_files = 16;
  write_some();
  run(1s);
  out.room = 0;
  for (int i = 0; i < 40; ++i) {
    write_some();
    rotate();
    run(100ms);
  }
  out.room = SIZE_MAX;
  run(90s);
  std::uint64_t got = 0;
  for (const Got& g : out.got) got += g.body.size() + 1;
  EXPECT_GT(source->health().losses.lost_bytes, 0u);
  EXPECT_EQ(got + source->health().losses.lost_bytes, lines("a", 0, written_).size());
}

// Compressed and deleted while nobody knew it yet: in the descriptor and in the .gz, once.
TEST_F(FastRotations, CompressedAtOnce) {
  write_some();
  run(1s);
  for (int i = 0; i < 10; ++i) {
    write_some();
    rotate();
    write_some();
    rotate();
    run(100ms);
    shell("gzip -c a.log.1 > a.log.3." + std::to_string(i) + ".gz && rm a.log.1");
    run(i % 2 == 0 ? 100ms : 3s);
  }
  run();
  expect_all();
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

// It lost its name since the last look and is read through its descriptor. What was made of it
// begins like another one, of which all that both begin with was read.
TEST_F(FastRotations, CompressedAtOnceBehindACommonHeader) {
  environment.inotify = false;
  append("a.log", "# header\n");
  settle();
  rotate();
  append("a.log", "# header\n");
  write_some();
  out.room = 0;
  run(config.poll_interval + 1s);
  shell("gzip -c a.log > a.log.2.gz && rm a.log a.log.1");
  run(config.poll_interval + 1s);
  out.room = SIZE_MAX;
  run();
  expect_once("# header\n# header\n" + lines("a", 0, written_));
}

// The same, and it had no byte yet when it was last looked at.
TEST_F(FastRotations, WrittenAndCompressedAtOnceBehindACommonHeader) {
  environment.inotify = false;
  append("a.log", "# header\n");
  settle();
  rotate();
  settle();
  append("a.log", "# header\n");
  write_some();
  shell("gzip -c a.log > a.log.2.gz && rm a.log a.log.1");
  run();
  expect_once("# header\n# header\n" + lines("a", 0, written_));
}

// More questions than a look has rounds: what they are about waits, and nothing else.
TEST_F(FastRotations, OneFileWithManyQuestionsDelaysNoOther) {
  const std::string header(1200, 'h');
  for (int i = 0; i < 80; ++i) {
    const std::string tag = "run" + std::to_string(i);
    append(tag + ".log", header + "\n" + lines(tag, 0, 20));
  }
  settle();
  crash();
  append("new.log", header + "\n" + lines("new", 0, 5));
  shell("touch -d @1600000000 new.log");
  append("other.log", lines("other", 0, 5));
  append("run7.log", lines("run7", 20, 25));
  const std::size_t before = out.got.size();
  drain();
  EXPECT_EQ(out.got.size(), before + 10);
  run();
  EXPECT_EQ(out.got.size(), before + 10 + 6);
}

// Between a look's walk and its question the file has another inode, always.
TEST_F(FastRotations, AFileThatIsReplacedAllTheTimeKeepsNoOtherFromBeingRead) {
  append("other.log", lines("other", 0, 100));
  settle();
  crash();
  append("other.log", lines("other", 100, 200));
  int replaced = 0;
  const auto replace = [&] {
    write("state.tmp", std::to_string(++replaced) + "\n");
    rename("state.tmp", "state.log");
  };
  const InterruptingClock interrupting(clock, replace);
  start(interrupting);
  for (int i = 0; i < 50; ++i) {
    run(100ms);
    EXPECT_EQ(source->health().problem, "");
  }
  EXPECT_GT(replaced, 5);
  int others = 0;
  for (const Got& got : out.got) others += got.body.starts_with("other ") ? 1 : 0;
  EXPECT_EQ(others, 200);
}

}  // namespace
}  // namespace edgehose::testing
