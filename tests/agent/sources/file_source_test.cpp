#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

TEST_F(FileSourceTest, ReadsWhatIsThereAndWhatIsAppended) {
  append("a.log", "one\ntwo\n");
  run(1s);
  EXPECT_EQ(text(), "one\ntwo\n");
  append("a.log", "three\n");
  run(1s);
  EXPECT_EQ(text(), "one\ntwo\nthree\n");
  EXPECT_EQ(out.got[2].begin, 8u);
  EXPECT_EQ(out.got[2].end, 14u);
}

TEST_F(FileSourceTest, BytesStayAsTheyAre) {
  const std::string odd("nul\0 cr\r\xff\xfe\n\n", 12);
  append("a.log", odd);
  run(1s);
  ASSERT_EQ(out.got.size(), 2u);
  EXPECT_EQ(out.got[0].body, odd.substr(0, 10));
  EXPECT_EQ(out.got[1].body, "");
}

TEST_F(FileSourceTest, InotifyWakesTheDescriptor) {
  append("a.log", "one\n");
  run(1s);
  append("a.log", "two\n");
  const int fd = source->fd();
  const Instant before = clock.now();
  clock.wait({&fd, 1}, before + 1s);
  EXPECT_EQ(clock.now(), before) << "the descriptor is not readable";
  drain();
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(FileSourceTest, RescansAloneFindEverything) {
  environment.inotify = false;
  run(1s);
  append("a.log", "one\n");
  run(config.poll_interval);
  EXPECT_EQ(text(), "one\n");
  append("a.log", "two\n");
  run(config.poll_interval);
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(FileSourceTest, ExhaustedWatchesAreNamedAndPolled) {
  environment.max_watches = 2;
  config.paths = {dir + "/**/*.log"};
  std::string all;
  for (int i = 0; i < 8; ++i) {
    std::filesystem::create_directory(path(std::to_string(i)));
    append(std::to_string(i) + "/x.log", lines("d" + std::to_string(i), 0, 3));
    all += lines("d" + std::to_string(i), 0, 3);
  }
  run(1s);
  EXPECT_NE(source->health().problem.find("fs.inotify.max_user_watches"), std::string::npos);
  append("7/x.log", "late\n");
  run(config.poll_interval + 1s);
  expect_once(all + "late\n");
}

TEST_F(FileSourceTest, ALastLineWaitsThenShipsAsPartial) {
  append("a.log", "one\ntw");
  run(29s);
  EXPECT_EQ(text(), "one\n");
  run(2s);
  ASSERT_EQ(out.got.size(), 2u);
  EXPECT_EQ(out.got[1].body, "tw");
  EXPECT_TRUE(out.got[1].partial);
  append("a.log", "o\nthree\n");
  run(1s);
  EXPECT_EQ(text(), "one\ntw\no\nthree\n");
  EXPECT_EQ(out.got[2].begin, 6u);
}

TEST_F(FileSourceTest, ALineThatGrowsSlowlyIsOne) {
  append("a.log", "one\n");
  for (int i = 0; i < 50; ++i) {
    append("a.log", "x");
    run(10s);
  }
  append("a.log", "\n");
  run(1s);
  EXPECT_EQ(text(), "one\n" + std::string(50, 'x') + "\n");
}

TEST_F(FileSourceTest, AnEndlessLineIsTruncatedAndTheNextIsWhole) {
  config.max_record_bytes = 1000;
  append("a.log", "first\n");
  for (int i = 0; i < 10; ++i) {
    append("a.log", std::string(1 << 20, static_cast<char>('a' + i)));
    run(1s);
  }
  append("a.log", "\nnext\n");
  run(1s);
  ASSERT_EQ(out.got.size(), 3u);
  EXPECT_EQ(out.got[1].body, std::string(1000, 'a'));
  EXPECT_TRUE(out.got[1].truncated);
  EXPECT_EQ(out.got[1].end, 6u + (10u << 20) + 1);
  EXPECT_EQ(out.got[2].body, "next");
  EXPECT_EQ(source->health().losses.truncated_records, 1u);
}

TEST_F(FileSourceTest, AFullSinkStopsReadingExactly) {
  append("a.log", lines("a", 0, 1000));
  append("b.log", lines("b", 0, 1000));
  start();
  for (int step = 1; out.got.size() < 2000; ++step) {
    ASSERT_LT(step, 2000);
    out.room = 7;
    const std::size_t before = out.got.size();
    const DrainResult result = drain();
    ASSERT_LE(out.got.size(), before + 7);
    ASSERT_GT(out.got.size(), before);
    EXPECT_TRUE(result.more || out.got.size() == 2000);
    if (step % 5 == 0) {
      commit();
    } else if (step % 11 == 0) {
      crash();
    }
  }
  expect_once(lines("a", 0, 1000) + lines("b", 0, 1000));
}

TEST_F(FileSourceTest, AFailedCommitComesAgain) {
  append("a.log", "one\n");
  run(1s);
  commit(false);
  EXPECT_TRUE(store.files.empty());
  commit();
  source.reset();
  run(1s);
  EXPECT_EQ(text(), "one\n");
}

TEST_F(FileSourceTest, OnlyMovedPositionsAreWritten) {
  for (int i = 0; i < 50; ++i) append("f" + std::to_string(i) + ".log", "x\n");
  settle();
  store.files_put = 0;
  append("f7.log", "y\n");
  settle();
  EXPECT_EQ(store.files_put, 1u);
}

// A salvaged buffer knows how far its blocks reach into the file, not what lay before that place,
// and of the file's start only what an older copy had seen.
TEST_F(FileSourceTest, APositionMovedByASalvageIsReadOn) {
  append("a.log", lines("a", 0, 3));
  run(1s);
  commit();
  append("a.log", lines("a", 3, 200));
  FileState& state = store.files.begin()->second;
  ASSERT_LT(state.identity.prefix_length, 1024u);
  state.offset = lines("a", 0, 150).size();
  state.crc_known = false;
  source.reset();
  out.got.clear();
  run();
  expect_once(lines("a", 150, 200));
  commit();
  source.reset();
  out.got.clear();
  run(1s);
  EXPECT_TRUE(out.got.empty());
  // From then on what lies before the position counts again.
  truncate("a.log", lines("a", 0, 4).size());
  append("a.log", std::string(100000, 'x') + "\n");
  run();
  EXPECT_EQ(out.got.size(), 5u) << "another content: from its start";
}

TEST_F(FileSourceTest, ManyFilesFewDescriptors) {
  config.max_open_files = 8;
  std::string all;
  for (int i = 0; i < 300; ++i) {
    append("f" + std::to_string(i) + ".log", lines("f" + std::to_string(i), 0, 3));
    all += lines("f" + std::to_string(i), 0, 3);
  }
  run(1s);
  const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                  std::filesystem::directory_iterator());
  EXPECT_LT(open, 60);
  expect_once(all);
}

TEST_F(FileSourceTest, StartAtEndAppliesToTheVeryFirstLookOnly) {
  config.start_at = StartAt::kEnd;
  append("a.log", "old\n");
  run(1s);
  append("a.log", "new\n");
  append("b.log", "appeared\n");
  settle();
  expect_once("new\nappeared\n");
  source.reset();
  rename("a.log", "a.log.1");
  append("a.log", "after rotation\n");
  run();
  expect_once("new\nappeared\nafter rotation\n");
  commit();
  source.reset();  // what appears while nobody looks is new as well
  SourceState known;
  known.name = config.name;
  store.known_sources = {known};
  append("c.log", "born while we were down\n");
  run();
  expect_once("new\nappeared\nafter rotation\nborn while we were down\n");
}

TEST_F(FileSourceTest, TheAgentsOwnDataIsNeverRead) {
  shell("mkdir -p state");
  environment.exclude = {path("state") + "/**"};
  config.paths = {path("**")};
  append("a.log", "a line\n");
  append("state/buffer.mdb", "not a line\n");
  run(1s);
  settle();
  expect_once("a line\n");
}

TEST_F(FileSourceTest, OldFilesAreIgnoredUntilTheyGrow) {
  config.ignore_older = 24h;
  append("a.log", "ancient\n");
  shell("touch -d 2001-01-01 a.log");
  append("b.log", "young\n");
  run(1s);
  EXPECT_EQ(text(), "young\n");
  append("a.log", "news\n");
  run(1s);
  EXPECT_EQ(text(), "young\nnews\n");
}

TEST_F(FileSourceTest, NoMatchIsSaidAndTheFirstFileIsFoundInTime) {
  environment.inotify = false;
  config.paths = {dir + "/deep/er/*.log"};
  run(1s);
  EXPECT_NE(source->health().problem.find("no file matches " + config.paths[0] + ": "),
            std::string::npos);
  EXPECT_FALSE(source->health().unreadable) << "there is nothing";
  std::filesystem::create_directories(path("deep/er"));
  append("deep/er/x.log", "found\n");
  run(10s);
  EXPECT_EQ(text(), "found\n");
  EXPECT_EQ(source->health().problem, "");
}

TEST_F(FileSourceTest, TheSelectionHolds) {
  config.paths = {dir + "/**/*.log"};
  config.exclude = {"debug*", dir + "/tmp/**"};
  for (const char* d : {"x", "x/y", "tmp"}) std::filesystem::create_directory(path(d));
  append("top.log", "top\n");
  append("x/y/deep.log", "deep\n");
  append("x/debug.log", "no\n");
  append("tmp/t.log", "no\n");
  ASSERT_EQ(::mkfifo(path("pipe.log").c_str(), 0600), 0);
  std::filesystem::create_symlink(dir, path("x/loop"));
  std::filesystem::create_symlink(path("top.log"), path("x/again.log"));
  run(1s);
  expect_once("top\ndeep\n");
}

TEST_F(FileSourceTest, OnceShipsAllThatIsThereAndSaysSo) {
  environment.once = true;
  append("a.log", lines("a", 0, 100) + "last without lf");
  append("b.log", "");
  start();
  EXPECT_FALSE(source->caught_up());
  for (int i = 0; i < 10 && !source->caught_up(); ++i) drain();
  EXPECT_TRUE(source->caught_up());
  expect_once(lines("a", 0, 100) + "last without lf");
}

TEST_F(FileSourceTest, TwoSourcesShareAFileOnce) {
  append("a.log", "one\n");
  append("b.log", "two\n");
  FileSourceConfig second = config;
  second.name = "second";
  config.paths = {path("a.log")};
  auto made = make_file_sources({config, second}, store, clock, environment);
  ASSERT_TRUE(made);
  Collector other;
  (*made)[0]->drain(out);
  (*made)[1]->drain(other);
  EXPECT_EQ(text(), "one\n");
  ASSERT_EQ(other.got.size(), 1u);
  EXPECT_EQ(other.got[0].body, "two");
  append("b.log", "three\n");
  (*made)[0]->drain(out);  // takes the event in; the other source must still be woken
  const int fd = (*made)[1]->fd();
  const Instant before = clock.now();
  clock.wait({&fd, 1}, before + 1s);
  EXPECT_EQ(clock.now(), before);
  (*made)[1]->drain(other);
  EXPECT_EQ(other.got.size(), 2u);
}

TEST_F(FileSourceTest, ABadGlobIsRefused) {
  config.paths = {"relative/*.log"};
  const auto made = make_file_sources({config}, store, clock, environment);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("not absolute"), std::string::npos);
}

}  // namespace
}  // namespace edgehose::testing
