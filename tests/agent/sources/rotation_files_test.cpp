// Rotations as they happen to real files: every line counted exactly once.
#include "agent/sources/file_table.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class RotationFiles : public FileSourceTest {};

TEST_F(RotationFiles, RenameAndCreate) {
  append("a.log", lines("a", 0, 10));
  run(1s);
  append("a.log", lines("a", 10, 20));
  rename("a.log", "a.log.1");
  append("a.log", lines("a", 20, 30));
  const DrainResult result = drain();
  run(1s);
  append("a.log.1", "the writer was slow to reopen\n");
  run();
  expect_once(lines("a", 0, 30) + "the writer was slow to reopen\n");
  EXPECT_EQ(out.got[19].body, "a 19 some more words") << "the older file first";
  (void)result;
}

TEST_F(RotationFiles, ARotationIsUrgentUntilCommitted) {
  append("a.log", "x\n");
  run(1s);
  rename("a.log", "a.log.1");
  run(1s);
  EXPECT_TRUE(drain().urgent);
  commit();
  EXPECT_FALSE(drain().urgent);
}

TEST_F(RotationFiles, Copytruncate) {
  config.paths = {dir + "/a.log*"};
  append("a.log", lines("a", 0, 100));
  run(1s);
  copy("a.log", "a.log.1");
  truncate("a.log");
  append("a.log", lines("b", 0, 3));
  run();
  expect_once(lines("a", 0, 100) + lines("b", 0, 3));
  EXPECT_EQ(source->commit_patience(60s), Duration(1s));
}

TEST_F(RotationFiles, CopytruncateWhileBehind) {
  for (const char* glob : {"/a.log*", "/*.log"}) {
    SetUp();
    out.got.clear();
    store.files.clear();
    config.paths = {dir + glob};
    append("a.log", lines("a", 0, 500));
    out.room = 100;
    drain();
    out.room = SIZE_MAX;
    commit();
    copy("a.log", "a.log.1");
    truncate("a.log");
    append("a.log", lines("b", 0, 3));
    run();
    expect_once(lines("a", 0, 500) + lines("b", 0, 3));
    source.reset();
  }
}

// A busy writer: lines are appended after the copy was made, and read before the truncation. They
// are not in the copy, which is not to be read again for their sake.
class BusyCopytruncate : public FileSourceTest {
 protected:
  // The copy, however compressed, and what happens between its two steps.
  void rotate(const std::string& make_copy) {
    for (int i = 0; i < 500; i += 50) {
      append("a.log", lines("a", i, i + 50));
      run(1s);
    }
    shell(make_copy);
    append("a.log", lines("a", 500, 510));
    run(100ms);
  }
  void truncate_and_go_on() {
    truncate("a.log");
    append("a.log", lines("b", 0, 3));
  }
  const std::string all = lines("a", 0, 510) + lines("b", 0, 3);
};

TEST_F(BusyCopytruncate, LeavesACopyThatWasRead) {
  for (const char* command :
       {"cp a.log a.log.1", "gzip -c a.log > a.log.1.gz", "zstd -qc a.log > a.log.1.zst"}) {
    SetUp();
    out.got.clear();
    store.files.clear();
    rotate(command);
    truncate_and_go_on();
    run();
    expect_once(all);
    source.reset();
  }
}

TEST_F(BusyCopytruncate, LeavesACopyThatWasReadBeforeACrash) {
  rotate("cp a.log a.log.1");
  commit();
  truncate_and_go_on();
  run(1s);
  crash();
  run();
  expect_once(all);
}

TEST_F(BusyCopytruncate, AndATruncationWhileStopped) {
  rotate("cp a.log a.log.1");
  commit();
  source.reset();
  truncate_and_go_on();
  run();
  expect_once(all);
}

TEST_F(BusyCopytruncate, ARotationThatOnlyBeginsAlikeIsRead) {
  rotate("cp a.log a.log.1");
  write("a.log.1", lines("a", 0, 200) + lines("c", 0, 200));
  truncate_and_go_on();
  run();
  expect_once(all + lines("a", 0, 200) + lines("c", 0, 200));
}

TEST_F(RotationFiles, TruncatedAndGrownPastTheOldPosition) {
  append("a.log", lines("a", 0, 10));
  run(1s);
  environment.inotify = false;
  truncate("a.log");
  append("a.log", lines("b", 0, 100));
  run();
  expect_once(lines("a", 0, 10) + lines("b", 0, 100));
}

TEST_F(RotationFiles, ReplacedInPlaceBehindACommonHeader) {
  const std::string header = std::string(2000, '#') + "\n";
  append("a.log", header + lines("a", 0, 10));
  run(1s);
  truncate("a.log");
  append("a.log", header + lines("b", 0, 100));
  run();
  expect_once(header + header + lines("a", 0, 10) + lines("b", 0, 100));
}

// What stood still before the process came needs no watching: lives may be short.
TEST_F(RotationFiles, LivesShorterThanACopyIsWatchedAreEnough) {
  clock.set_wall(WallTime(std::time(nullptr) * 1'000'000'000));
  append("a.log", lines("a", 0, 50));
  settle();
  source.reset();
  append("a.log", lines("a", 50, 60));
  shell("mv a.log a.log.2");
  append("a.log.1", lines("b", 0, 20));
  append("a.log", lines("c", 0, 20));
  shell("touch -d '1 minute ago' a.log.1 a.log.2");
  for (int life = 0; life < 3; ++life) {
    run(1s);
    commit();
    source.reset();
  }
  expect_once(lines("a", 0, 60) + lines("b", 0, 20) + lines("c", 0, 20));
}

TEST_F(RotationFiles, DeletedAndRecreated) {
  append("a.log", lines("a", 0, 5));
  run(1s);
  commit();
  remove("a.log");
  append("a.log", "ten bytes\n");
  run();
  expect_once(lines("a", 0, 5) + "ten bytes\n");
}

TEST_F(RotationFiles, DeletedWhileOpenIsDrained) {
  append("a.log", lines("a", 0, 5000));
  out.room = 100;
  drain();
  remove("a.log");
  out.room = SIZE_MAX;
  run();
  expect_once(lines("a", 0, 5000));
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

// What was not read is known as far as the old content was looked at; the new one says nothing.
TEST_F(RotationFiles, WhatALongerFileInItsPlaceTookAwayIsCountedByTheOldSize) {
  append("a.log", lines("a", 0, 100));
  out.room = 10;
  drain();
  write("a.log", lines("b", 0, 1000));
  out.room = SIZE_MAX;
  run(90s);
  expect_once(lines("a", 0, 10) + lines("b", 0, 1000));
  EXPECT_EQ(source->health().losses.lost_bytes, lines("a", 10, 100).size());
}

TEST_F(RotationFiles, WhatWasReplacedWhileStoppedIsNotKnownAndSaidSo) {
  append("a.log", lines("a", 0, 100));
  settle();
  source.reset();
  write("a.log", lines("b", 0, 1000));
  ::testing::internal::CaptureStderr();
  run(90s);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("is not known"), std::string::npos);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

// The copy is all that is left in the end, and waits for its original to be read until then.
TEST_F(RotationFiles, ACopyWithoutANameIsHeldWhileTheBufferIsFull) {
  append("a.log", "");
  run(1s);
  out.room = 0;
  append("a.log", lines("a", 0, 50));
  copy("a.log", "a.log.1");
  run(3s);
  remove("a.log.1");
  run(5min);
  truncate("a.log");
  out.room = SIZE_MAX;
  run();
  expect_once(lines("a", 0, 50));
}

TEST_F(RotationFiles, HeldDeletedFilesAreBoundedAndCounted) {
  config.max_open_files = 4;
  for (int i = 0; i < 3; ++i) append(std::to_string(i) + ".log", "first\n");
  run(1s);
  for (int i = 0; i < 3; ++i) append(std::to_string(i) + ".log", "0123456789\n");
  out.room = 0;
  for (int i = 0; i < 3; ++i) remove(std::to_string(i) + ".log");
  run(1s);
  EXPECT_EQ(source->health().losses.lost_bytes, 22u);
}

TEST_F(RotationFiles, RotatedWhileStopped) {
  for (const char* glob : {"/a.log*", "/*.log"}) {
    SetUp();
    out.got.clear();
    store.files.clear();
    config.paths = {dir + glob};
    append("a.log", lines("a", 0, 10));
    settle();
    source.reset();
    append("a.log", lines("a", 10, 20));
    rename("a.log", "a.log.1");
    append("a.log", lines("a", 20, 30));
    settle();
    expect_once(lines("a", 0, 30));
    source.reset();
  }
}

TEST_F(RotationFiles, SeveralRotationsBetweenTwoLooks) {
  for (const bool compressed : {false, true}) {
    SetUp();
    out.got.clear();
    store.files.clear();
    append("a.log", lines("a", 0, 10));
    append("b.log.1", "was there before: not ours\n");
    append("b.log", "b\n");
    settle();
    append("a.log", lines("a", 10, 20));
    for (int r = 2; r < 5; ++r) {
      shell(
          "for i in 3 2 1; do for e in '' .gz; do "
          "[ -e a.log.$i$e ] && mv a.log.$i$e a.log.$((i+1))$e; done; done; "
          "mv a.log a.log.1");
      if (compressed) shell("gzip a.log.1");
      append("a.log", lines("a", r * 10, r * 10 + 10));
    }
    if (compressed) source.reset();  // what was not held open is found inside
    settle();
    expect_once(lines("a", 0, 50) + "b\n");
    source.reset();
  }
}

class Compressed : public FileSourceTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Compressed, TheRestIsReadInside) {
  for (const char* glob : {"/a.log*", "/*.log"}) {
    SetUp();
    out.got.clear();
    store.files.clear();
    config.paths = {dir + glob};
    append("a.log", lines("a", 0, 2000));
    settle();
    source.reset();
    append("a.log", lines("a", 2000, 9000) + "without lf");
    rename("a.log", "a.log.1");
    shell(std::string(GetParam()) + " a.log.1");
    append("a.log", lines("a", 9000, 9010));
    out.room = 50;  // slowly at first
    drain();
    commit();
    crash();
    out.room = SIZE_MAX;
    settle();
    source.reset();
    run();
    expect_once(lines("a", 0, 9010) + "without lf");
    source.reset();
  }
}

TEST_P(Compressed, WhatWasReadIsNotReadTwice) {
  config.paths = {dir + "/a.log*"};
  append("a.log", lines("a", 0, 500));
  settle();
  rename("a.log", "a.log.1");
  append("a.log", lines("a", 500, 510));
  settle();
  shell(std::string(GetParam()) + " a.log.1");
  settle();
  shell("mv a.log.1.* a.log.2.old; mv a.log.2.old a.log.2." +
        std::string(GetParam()[0] == 'g' ? "gz" : "zst"));
  settle();
  source.reset();
  run();
  expect_once(lines("a", 0, 510));
}

INSTANTIATE_TEST_SUITE_P(Formats, Compressed, ::testing::Values("gzip", "zstd -q --rm"));

TEST_F(RotationFiles, ArchivesFromBeforeAreNotShipped) {
  config.paths = {dir + "/a.log*"};
  append("a.log.3", lines("old", 0, 50));
  shell("gzip a.log.3");
  append("a.log", "a\n");
  settle();
  source.reset();
  run();
  expect_once("a\n");
}

TEST_F(RotationFiles, CompressedBytesUnderAPlainNameAreNotLines) {
  append("x", lines("x", 0, 50));
  shell("gzip x && mv x.gz a.log");
  run();
  EXPECT_TRUE(out.got.empty());
}

TEST_F(RotationFiles, ACopyUnderTheSameGlob) {
  append("a.log", lines("a", 0, 500));
  settle();
  copy("a.log", "backup.log");
  settle();
  append("a.log", lines("a", 500, 510));
  settle();
  source.reset();
  run();
  expect_once(lines("a", 0, 510));
}

TEST_F(RotationFiles, ANewDeviceNumberAfterAReboot) {
  append("a.log", lines("a", 0, 200));
  settle();
  source.reset();
  for (auto& [id, state] : store.files) state.identity.filesystem += 1;
  environment.boot_id = "boot-2";
  append("a.log", lines("a", 200, 210));
  run();
  expect_once(lines("a", 0, 210));
}

TEST_F(RotationFiles, RestoredToMemoryAtBoot) {
  append("a.log", "short\n");
  append("b.log", lines("b", 0, 200));
  settle();
  source.reset();
  environment.boot_id = "boot-2";
  // In the second one a writer went on after us.
  for (const char* name : {"a.log", "b.log"})
    shell(std::string("cp -p ") + name + " saved; rm " + name + "; mv saved " + name);
  append("a.log", "next\n");
  append("b.log", lines("b", 200, 210));
  run();
  expect_once("short\nnext\n" + lines("b", 0, 210));
}

TEST_F(RotationFiles, WrittenAnewWithTheSameBytesIsNoRestore) {
  std::string all;
  for (const std::string& text : {std::string("started\n"), lines("a", 0, 200)})
    for (const char* boot : {"boot-1", "boot-2"}) {
      append("a.log", text);
      settle();
      source.reset();
      environment.boot_id = boot;
      remove("a.log");
      write("keeps the inode's number", "");
      append("a.log", text);
      settle();
      remove("a.log");
      settle();
      all += text + text;
    }
  expect_once(all);
}

// It is told to stand still only after the first look.
TEST_F(RotationFiles, AnEarlierStateRestoredToMemoryAtBoot) {
  append("a.log", lines("a", 0, 200));
  settle();
  source.reset();
  environment.boot_id = "boot-2";
  shell("head -n 150 a.log >saved; touch -r a.log saved; rm a.log; mv saved a.log");
  settle();
  append("a.log", lines("new", 0, 5));
  run();
  expect_once(lines("a", 0, 200) + lines("new", 0, 5));
}

TEST_F(RotationFiles, ATailLostInAPowerCut) {
  append("a.log", lines("a", 0, 200));
  settle();
  source.reset();
  environment.boot_id = "boot-2";
  truncate("a.log", lines("a", 0, 150).size());
  append("a.log", "");
  run(1s);
  append("a.log", lines("new", 0, 5));
  run();
  expect_once(lines("a", 0, 200) + lines("new", 0, 5));
}

TEST_F(RotationFiles, ShorterInTheSameBootIsTruncated) {
  append("a.log", lines("a", 0, 200));
  settle();
  source.reset();
  write("a.log", lines("b", 0, 20));
  run();
  expect_once(lines("a", 0, 200) + lines("b", 0, 20));
}

class Logrotate : public FileSourceTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Logrotate, RealRotationsCountEveryLineOnce) {
  if (::system("command -v logrotate >/dev/null || test -x /usr/sbin/logrotate") != 0)
    GTEST_SKIP() << "logrotate is not installed";
  ::chmod(dir.c_str(), 0700);
  config.paths = {dir + "/a.log*"};
  write("rotate.conf",
        path("a.log") + " {\n rotate 20\n nodateext\n missingok\n " + GetParam() + "\n}\n");
  const std::string rotate = "PATH=$PATH:/usr/sbin logrotate -f -s state rotate.conf";
  std::string all;
  for (int i = 0; i < 6; ++i) {
    const std::string more = lines("a", i * 100, i * 100 + 100);
    append("a.log", more);
    all += more;
    run(i % 2 == 0 ? 5s : 0s);
    if (i == 3) {
      settle();
      source.reset();  // the next rotation happens while stopped
    }
    shell(rotate);
  }
  settle();
  source.reset();
  run();
  expect_once(all);
}

INSTANTIATE_TEST_SUITE_P(Modes, Logrotate,
                         ::testing::Values("create", "copytruncate", "create\n compress",
                                           "create\n compress\n delaycompress",
                                           "copytruncate\n compress"));

}  // namespace
}  // namespace edgehose::testing
