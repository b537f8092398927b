// Logs that begin with the same bytes as others, 1 KiB or more: a job that writes the same lines
// each night, a service with a long banner. They are read; real copies are not, and told.
#include "agent/base/text.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class RepeatedContent : public FileSourceTest {
 protected:
  // The job's log of one night more, which is to be delivered each time.
  void night(const std::string& name = "job.log") {
    write(name, job);
    expected += job;
    settle();
  }
  void look_after_a_stop() { source.reset(); }
  std::string told() {
    std::string log = ::testing::internal::GetCapturedStderr();
    return log.find("taken for its copy") == std::string::npos ? "" : log;
  }

  const std::string job = lines("job", 0, 200);  // 4.8 KiB
  const std::string banner = lines("banner", 0, 130);
  std::string expected;
};

TEST_F(RepeatedContent, EveryNightAfterARename) {
  for (const bool stopped : {false, true}) {
    night();
    for (int i = 0; i < 3; ++i) {
      if (stopped) look_after_a_stop();
      shell("for i in 2 1; do [ -e job.log.$i ] && mv job.log.$i job.log.$((i+1)); done; true");
      rename("job.log", "job.log.1");
      night();
    }
    shell("rm job.log*");
    settle();
  }
  expect_once(expected);
}

TEST_F(RepeatedContent, EveryNightUnderTheLogsOwnName) {
  for (const char* rotate :
       {"rm job.log", "gzip -c job.log >job.log.1.gz; rm job.log",
        "mv job.log job.log.1; rm job.log.1", "mv job.log job-$(date +%s%N).log",
        "mv job.log other-name.log", "mkdir -p old; mv job.log old/job.log.1"})
    for (const bool stopped : {false, true})
      for (const char* boot : {"boot-1", "boot-2"}) {
        SetUp();
        config.paths = {dir + "/**/*.log*"};
        out.got.clear();
        store.files.clear();
        expected.clear();
        environment.boot_id = "boot-1";
        night();
        for (int i = 0; i < 3; ++i) {
          if (stopped) look_after_a_stop();
          environment.boot_id = boot;
          shell(rotate);
          night();
        }
        SCOPED_TRACE(std::string(rotate) + (stopped ? ", stopped, " : ", ") + boot);
        expect_once(expected);
        source.reset();
      }
}

TEST_F(RepeatedContent, EveryNightUnderANewDate) {
  for (const char* name : {"job-20261125.log", "job-20261126.log", "job-20261127.log"}) night(name);
  look_after_a_stop();
  night("job-20261128.log");
  expect_once(expected);
}

TEST_F(RepeatedContent, TheBannerOfEachStartWithSilenceBehindIt) {
  for (int start = 0; start < 3; ++start) {
    append("app.log", banner);
    run(6s);
    const std::string more = lines("start" + std::to_string(start), 0, 50);
    append("app.log", more);
    expected += banner + more;
    settle();
    shell("[ -e app.log.1 ] && mv app.log.1 app.log.2; mv app.log app.log.1");
    if (start == 1) look_after_a_stop();
  }
  expect_once(expected);
}

TEST_F(RepeatedContent, ServicesInDirectoriesOfTheirOwn) {
  config.paths = {dir + "/*/job.log"};
  shell("mkdir one two");
  night("one/job.log");
  night("two/job.log");
  expect_once(expected);
}

class RepeatedInTwoSources : public RepeatedContent {
 protected:
  void start_both() {
    shell("mkdir -p one two");
    FileSourceConfig other = config;
    config.paths = {dir + "/one/*.log"};
    other.name = "two";
    other.paths = {dir + "/two/*.log"};
    auto made = make_file_sources({config, other}, store, clock, environment);
    ASSERT_TRUE(made) << made.error().message;
    source = std::move((*made)[0]);
    second = std::move((*made)[1]);
  }
  void run_both() {
    for (int i = 0; i < 600; ++i) {
      source->drain(out);
      second->drain(got_second);
      clock.advance(100ms);
    }
    auto transaction = store.begin();
    for (Source* each : {source.get(), second.get()}) {
      ASSERT_TRUE(each->before_commit());
      ASSERT_TRUE(each->checkpoint(**transaction));
    }
    ASSERT_TRUE((*transaction)->commit());
    for (Source* each : {source.get(), second.get()}) each->settled(true);
  }
  std::unique_ptr<Source> second;
  Collector got_second;
};

TEST_F(RepeatedInTwoSources, EachGetsWhatTheOtherHadToo) {
  for (const bool gone : {false, true}) {
    start_both();
    write("one/a.log", job);
    run_both();
    if (gone) {
      source.reset();
      second.reset();
      remove("one/a.log");
      start_both();
    }
    write("two/b.log", job);
    run_both();
    source.reset();
    second.reset();
    std::swap(out, got_second);
    expect_once(gone ? job + job : job);
    std::swap(out, got_second);
    expect_once(gone ? job + job : job);
    shell("rm -f one/* two/*");
    start_both();
    run_both();
  }
}

TEST_F(RepeatedContent, ACopyUnderAnotherNameIsToldOnceAndCounted) {
  night();
  ::testing::internal::CaptureStderr();
  copy("job.log", "backup.log");
  settle();
  const std::string log = told();
  EXPECT_NE(log.find("info "), std::string::npos);
  EXPECT_NE(log.find(path("backup.log")), std::string::npos);
  EXPECT_NE(log.find(path("job.log")), std::string::npos);
  EXPECT_NE(log.find(format_count(job.size()) + " bytes"), std::string::npos);
  EXPECT_EQ(source->health().copied_bytes, job.size());
  ::testing::internal::CaptureStderr();
  settle();
  look_after_a_stop();
  settle();
  EXPECT_EQ(told(), "");
  expect_once(expected);
}

TEST_F(RepeatedContent, CopiesThatTheirNamesExplainAreNotTold) {
  config.paths = {dir + "/*.log*"};
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) {
    night();
    shell(
        "[ -e job.log.1 ] && gzip job.log.1 && mv job.log.1.gz job.log.2.gz; cp job.log job.log.1");
    truncate("job.log");
    settle();
  }
  EXPECT_EQ(told(), "");
  EXPECT_EQ(source->health().copied_bytes, 0u);
  expect_once(expected);
}

// Its time is older than the file: it was put back, or brought with what came behind it.
TEST_F(RepeatedContent, WhatKeptItsTimeIsThatContentAlsoWhileRunning) {
  night();
  shell("sleep 0.02; cp -p job.log saved; rm job.log; mv saved job.log");
  settle();
  for (int i = 0; i < 3; ++i) {
    const std::string more = lines("more" + std::to_string(i), 0, 10);
    expected += more;
    write("more", more);
    shell("cat job.log more >.new; touch -d '1 second ago' .new; mv .new job.log");
    settle();
  }
  expect_once(expected);
}

TEST_F(RepeatedContent, ACopyOfADirectoryThatKeptItsTimesIsACopy) {
  config.paths = {dir + "/**/*.log"};
  night();
  shell("sleep 0.02; mkdir saved");
  for (int i = 0; i < 2; ++i) {  // also where it is made again
    shell("rm -f saved/*; cp -p job.log saved");
    settle();
  }
  expect_once(expected);
}

// As log2ram does it: every file anew, each with its time. Equal ones are not mistaken.
TEST_F(RepeatedContent, EqualNightsThatABootPutBackAreNotReadAgain) {
  config.paths = {dir + "/*.log*"};
  night("job.log.1");
  night("job.log");
  const std::string other = lines("other", 0, 200);
  for (const char* name : {"other-20261125.log", "other-20261126.log"}) {
    write(name, other);
    expected += other;
    settle();
  }
  look_after_a_stop();
  environment.boot_id = "boot-2";
  shell("sleep 0.02; mkdir d; cp -p *.log* d; rm *.log*; mv d/* .");
  append("job.log", "and more\n");
  settle();
  expect_once(expected + "and more\n");
}

// Copies into another directory, as logrotate's copytruncate makes them with `olddir`.
TEST_F(RepeatedContent, ACopytruncateIntoAnotherDirectoryIsNotReadAgain) {
  config.paths = {dir + "/**/*.log*"};
  shell("mkdir old");
  for (const char* name : {"old/job-20261125.log", "old/job-20261126.log", "old/job.log.1"}) {
    night();
    copy("job.log", name);
    truncate("job.log");
    settle();
  }
  expect_once(expected);
}

// While no log has the name, as with logrotate's `nocreate`.
TEST_F(RepeatedContent, ACopyWhoseLogIsNotThereNowIsNotReadAgain) {
  config.paths = {dir + "/*.log*"};
  night();
  look_after_a_stop();
  write("more", lines("more", 0, 300));
  shell("cp job.log job.log.2; cat more >job.log; mv job.log job.log.1");
  settle();
  expect_once(expected + lines("more", 0, 300));
}

}  // namespace
}  // namespace edgehose::testing
