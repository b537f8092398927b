// Files that are written over: rewritten in their place, copies made again and again, logs named
// like rotations.
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

// The start, the end and the size are as they were.
class Rewritten : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    append("a.log", first_);
    settle();
  }
  static std::string middle(const char* tag) {
    return lines("a", 100, 200) + lines(tag, 200, 800) + lines("a", 800, 900);
  }
  const std::string first_ = middle("a"), second_ = middle("b");
};

TEST_F(Rewritten, IsReadAgain) {
  write("a.log", second_);
  run();
  expect_once(first_ + second_);
}

TEST_F(Rewritten, WhileStoppedIsReadAgain) {
  source.reset();
  write("a.log", second_);
  environment.once = true;
  drain();
  for (int i = 0; i < 100 && !source->caught_up(); ++i) {
    clock.advance(100ms);
    drain();
  }
  EXPECT_TRUE(source->caught_up());
  expect_once(first_ + second_);
}

TEST_F(Rewritten, IsNotWhatIsOnlyTouched) {
  shell("touch a.log");
  settle();
  source.reset();
  shell("touch a.log");
  settle();
  append("a.log", "more\n");
  run();
  expect_once(first_ + "more\n");
}

// The doubt about a write that is under way is over when it is.
TEST_F(Rewritten, IsNotWhatGrowsAMomentAfterItsTime) {
  shell("touch a.log");
  run(1s);
  append("a.log", "more\n");
  run();
  shell("touch a.log");
  append("a.log", "more still\n");
  run();
  expect_once(first_ + "more\nmore still\n");
}

// cp a.log a.log.1; : >a.log
class OneCopy : public FileSourceTest {
 protected:
  void rotate() { shell("cp a.log a.log.1; : >a.log"); }
  std::string round(int n) {
    const std::string text = lines("round" + std::to_string(n), 0, 100 + 50 * (n % 3));
    append("a.log", text);
    all += text;
    return text;
  }
  std::string all;
};

TEST_F(OneCopy, OverwrittenAgainAndAgain) {
  for (int n = 0; n < 7; ++n) {
    round(n);
    run(5s);
    if (n % 2 == 0) commit();
    rotate();
  }
  run(90s);
  expect_once(all);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

TEST_F(OneCopy, HoldsTheRestOfWhatWasNotRead) {
  round(0);
  settle();
  rotate();
  settle();
  for (int n = 1; n < 5; ++n) {
    round(n);
    out.room = 20;
    run(1s);
    rotate();
    out.room = SIZE_MAX;
    settle();
  }
  expect_once(all);
}

TEST_F(OneCopy, WhileStopped) {
  environment.once = true;
  for (int n = 0; n < 7; ++n) {
    round(n);
    settle();
    crash();
    rotate();
  }
  run(90s);
  expect_once(all);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

TEST_F(OneCopy, ThatWasEmptyBefore) {
  shell(": >a.log; : >a.log.1");
  settle();
  round(0);
  run(1s);
  rotate();
  run(90s);
  expect_once(all);
}

TEST_F(OneCopy, ThatWasEmptyAndIsCompressedAtOnce) {
  shell(": >a.log; : >a.log.1");
  settle();
  round(0);
  run(1s);
  rotate();
  shell("gzip a.log.1");
  run(90s);
  expect_once(all);
}

// A writer that never reopens and never rests is read all the same.
TEST_F(OneCopy, OrWhatItsWriterGoesOnWith) {
  shell(": >a.log");
  settle();
  shell("mv a.log a.log.1; : >a.log");
  run(1s);
  for (int second = 0; second < 90; ++second) {
    const std::string text = lines("late", second * 10, second * 10 + 10);
    append("a.log.1", text);
    all += text;
    run(1s);
  }
  EXPECT_GT(out.got.size(), 800u);
  run();
  expect_once(all);
}

TEST_F(OneCopy, EverySecondHoldsTheLogBackNever) {
  for (int n = 0; n < 30; ++n) {
    round(n);
    run(1s);
    rotate();
  }
  run(90s);
  expect_once(all);
}

TEST_F(OneCopy, ThatBeginsLikeTheOneBeforeAndIsLonger) {
  const std::string header = std::string(1300, '#') + "\n";
  std::string headers;
  for (int n = 0; n < 5; ++n) {
    append("a.log", header);
    headers += header;
    const std::string text = lines("round" + std::to_string(n), 0, 500 + 100 * n);
    append("a.log", text);
    all += text;
    run(5s);
    rotate();
    run(5s);
  }
  run(90s);
  expect_once(headers + all);
}

TEST_F(OneCopy, OverARotationOfTheHeaderAlone) {
  const std::string header = "# header\n";
  for (const bool stopped : {false, true}) {
    for (int n = 0; n < 2; ++n) {
      append("a.log", header);
      all += header;
      if (n > 0) round(n + 2 * stopped);
      settle();
      if (stopped) crash();
      rotate();
      settle();
    }
    append("a.log", "more\n");
    all += "more\n";
    settle();
    remove("a.log");
    remove("a.log.1");
    settle();
  }
  run(90s);
  expect_once(all);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

// No copy: whoever was slow to reopen goes on in it.
TEST_F(OneCopy, OrTheRestOfARotationOfItsHeader) {
  const std::string header = "# header\n";
  append("a.log", header);
  settle();
  rename("a.log", "a.log.1");
  append("a.log", header + lines("new", 0, 100));
  settle();
  append("a.log.1", lines("old", 0, 100));
  run(1s);
  expect_once(header + header + lines("new", 0, 100) + lines("old", 0, 100));
}

TEST_F(OneCopy, CompressedInPlaceIsReadEachTime) {
  environment.once = true;
  for (int n = 0; n < 5; ++n) {
    round(n);
    settle();
    source.reset();
    round(n + 10);
    shell("gzip -c a.log >a.log.1.gz; : >a.log");
    settle();
    source.reset();
  }
  settle();
  expect_once(all);
}

TEST_F(OneCopy, CompressedAgainWithMoreInItGoesOnInside) {
  round(0);
  settle();
  round(1);
  shell("gzip -c a.log >a.log.1.gz");
  settle();
  round(2);
  shell("gzip -c a.log >a.log.1.gz; : >a.log");
  source.reset();
  settle();
  expect_once(all);
}

TEST_F(OneCopy, ThatIsMadeAnewOfTheSameIsTheSame) {
  config.paths = {dir + "/a.log*"};
  round(0);
  settle();
  for (int i = 0; i < 3; ++i) {
    shell("head -c 900 a.log >a.log.1");
    run(500ms);
    shell("cp a.log a.log.1");
    settle();
  }
  expect_once(all);
}

// "port-1" may be a rotation of "port", or a log.
class NumberedLogs : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    config.paths = {dir + "/*"};
  }
};

TEST_F(NumberedLogs, AreReadAtOnce) {
  for (const char* name : {"port-1", "port-2", "app-20261126"}) append(name, "");
  run(1s);
  std::string all;
  for (int second = 0; second < 10; ++second) {
    for (const char* name : {"port-1", "port-2", "app-20261126"}) {
      const std::string text = lines(name, second, second + 1);
      append(name, text);
      all += text;
    }
    run(1s);
  }
  expect_once(all);
}

TEST_F(NumberedLogs, AreReadAtOnceAfterATruncation) {
  std::string all;
  for (int second = 0; second < 20; ++second) {
    if (second % 5 == 0) write("port-1", "");
    const std::string text = lines("port", second, second + 1);
    append("port-1", text);
    all += text;
    run(1s);
  }
  expect_once(all);
}

TEST_F(NumberedLogs, ThatBeginAlikeAreLogsOfTheirOwn) {
  append("app-20261125", "date,temp\n");
  run();
  append("app-20261126", "date,temp\n");
  for (int second = 0; second < 10; ++second) {
    append("app-20261126", lines("b", second, second + 1));
    run(1s);
  }
  expect_once("date,temp\ndate,temp\n" + lines("b", 0, 10));
}

// It may be a copy of the first, with what comes next: until it has grown for a minute.
TEST_F(NumberedLogs, ThatShareABannerAreReadAfterAMinuteAtMost) {
  const std::string banner = std::string(1300, '=') + "\n";
  append("mon.log", banner);
  run();
  append("tue.log", banner);
  for (int second = 0; second < 90; ++second) {
    append("tue.log", lines("b", second, second + 1));
    run(1s);
  }
  EXPECT_GE(out.got.size(), 80u);
  run(5min);
  expect_once(banner + banner + lines("b", 0, 90));
}

// A board without a clock of its own hears of the time while copytruncate copies.
TEST_F(OneCopy, AJumpOfTheClockMakesNoHalfCopyWhole) {
  config.paths = {dir + "/a.log*"};
  const std::string content = lines("a", 0, 300);
  append("a.log", content);
  settle();
  const std::size_t half = content.find("a 200 ");
  write("a.log.1", content.substr(0, half));
  shell("touch -d @" + std::to_string(clock.wall().value / 1'000'000'000) + " a.log.1");
  clock.set_wall(WallTime(clock.wall().value + 3'600'000'000'000));
  run(1s);
  append("a.log.1", content.substr(half));
  run();
  expect_once(content);
}

}  // namespace
}  // namespace edgehose::testing
