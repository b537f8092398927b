// `run --once`, as its user meets it.
#include "tests/agent/commands/cli_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST_F(CliTest, AWholeLife) {
  write_config();
  write("in/a.log", "one\ntwo\n");
  const Outcome once = run("run --once --timeout 60s --config c.toml");
  ASSERT_EQ(once.code, 0) << once.err;
  EXPECT_THAT(once.err, HasSubstr("100 %"));
  EXPECT_THAT(run("status --config c.toml").out, HasSubstr("not running"));
  EXPECT_EQ(run("buffer verify --config c.toml").code, 0);
  EXPECT_EQ(run("buffer list --config c.toml").code, 0);
  EXPECT_EQ(run("dead-letters list --config c.toml").code, 0);
  EXPECT_EQ(run("buffer list --config c.toml --source ap").code, 1);
}

TEST_F(CliTest, OnceCountsWhatThisRunReadNotWhatItsSinksSum) {
  write_config();
  fs::create_directories(directory_ + "/out2");
  write("c.toml", read("c.toml") + "[sinks.second]\ntype = \"directory\"\npath = \"" + directory_ +
                      "/out2\"\n");
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "earlier\n";
  write("in/a.log", lines);
  EXPECT_THAT(run("run --once --config c.toml").err,
              HasSubstr("(1,000 records), delivered 1,000 records, 100 %"));
  write("in/b.log", "one\ntwo\n");
  EXPECT_THAT(run("run --once --config c.toml").err,
              HasSubstr("(2 records), delivered 2 records, 100 %"));
}

TEST_F(CliTest, OnceThatDropsEndsWith1AndSaysHowMuch) {
  write_config();
  std::mt19937 random(7);
  std::string lines;
  for (int i = 0; i < 300; ++i, lines += '\n')
    for (int k = 0; k < 60'000; ++k) lines += static_cast<char>('!' + random() % 90);
  write("in/a.log", lines);
  // A sink at work makes room before anything goes; this one's stick is not plugged in.
  const std::string full =
      " --set buffer.max_size=8MiB --set buffer.when_full=drop_newest"
      " --set sinks.archive.path=/media/edgehose-test/logs";
  const Outcome outcome = run("run --once --timeout 15s --config c.toml" + full);
  EXPECT_NE(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.err,
      MatchesRegex(
          "(.|\n)*source app: [0-9]+ records, [0-9.]+ MiB, dropped: the buffer was full\n(.|\n)*"));
  EXPECT_THAT(outcome.err, HasSubstr(", gave up "));
}

TEST_F(CliTest, OnceAtItsTimeLimitNamesTheSinkTheAmountAndTheReason) {
  write_config();
  write("in/a.log", "one\ntwo\n");
  const Outcome once = run(
      "run --once --timeout 3s --config c.toml --set sinks.archive.path=/media/edgehose-test/logs");
  EXPECT_EQ(once.code, 3);
  EXPECT_THAT(once.err, HasSubstr("run --once: sink archive: 2 records, 8 B, wait: "));
}

// What is read and finds no room in the buffer is in no sink's backlog.
TEST_F(CliTest, OnceAtItsTimeLimitTellsWhatTheBufferHasNoRoomFor) {
  write_config();
  std::mt19937 random(3);
  std::string lines;
  for (int i = 0; i < 180; ++i, lines += '\n')
    for (int k = 0; k < 60'000; ++k) lines += static_cast<char>('!' + random() % 90);
  write("in/a.log", lines);
  const Outcome once =
      run("run --once --timeout 6s --config c.toml --set buffer.max_size=8MiB"
          " --set sinks.archive.path=/media/edgehose-test/logs");
  EXPECT_EQ(once.code, 3);
  EXPECT_THAT(once.err, MatchesRegex("(.|\n)*run --once: source app: [0-9.]+ MiB are not in the "
                                     "buffer yet\n(.|\n)*"));
}

TEST_F(CliTest, OnceThatCannotReadARotationEndsWith1AndIsCountedForEver) {
  write_config();
  write("in/a.log", "one\n");
  ASSERT_EQ(run("run --once --config c.toml").code, 0);
  ASSERT_EQ(std::system(("cd " + directory_ +
                         "/in && echo two >>a.log && mv a.log a.log.1 && xz a.log.1 && "
                         "echo three >a.log")
                            .c_str()),
            0);
  const Outcome once = run("run --once --config c.toml");
  EXPECT_EQ(once.code, 1);
  EXPECT_THAT(once.err, HasSubstr("not delivered: source app: "));
  EXPECT_THAT(once.err, HasSubstr("a.log.1.xz is a rotation that cannot be read"));
  EXPECT_THAT(run("status --json --config c.toml").out,
              MatchesRegex("(.|\n)*\"lost_bytes\": ?[1-9](.|\n)*"));
  const Outcome again = run("run --once --config c.toml");
  EXPECT_EQ(again.code, 1) << "it is still there";
  EXPECT_THAT(again.err, HasSubstr("a.log.1.xz is a rotation that cannot be read"));
  EXPECT_THAT(again.err, Not(HasSubstr("counted as lost"))) << "once";
  ASSERT_EQ(std::system(("unxz " + directory_ + "/in/a.log.1.xz").c_str()), 0);
  const Outcome mended = run("run --once --config c.toml");
  EXPECT_EQ(mended.code, 0) << mended.err;
  EXPECT_THAT(mended.err, HasSubstr("delivered 1 records, 100 %"));
}

TEST_F(CliTest, ALimitBelowWhatIsHeldIsToldAndDrainedTo) {
  write_config();
  std::mt19937 random(1);
  std::string text;
  for (int i = 0; i < 700'000; ++i) {
    for (int k = 0; k < 60; ++k) text.push_back(static_cast<char>('0' + random() % 64));
    text.push_back('\n');
  }
  write("in/a.log", text);
  const std::string config = " --config c.toml --set buffer.free_disk_percent=0";
  const std::string away =
      " --set buffer.max_size=64MiB --set sinks.archive.path=/media/edgehose-test/logs";
  EXPECT_EQ(run("run --once --timeout 15s" + away + config).code, 3);
  const std::string lowered = " --set buffer.max_size=8MiB" + config;
  const Outcome check = run("check" + lowered);
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.err, HasSubstr("more than its limit of 8 MiB (buffer.max_size): nothing is "
                                   "read until sinks have taken the rest"));
  const Outcome once = run("run --once --timeout 60s" + lowered);
  EXPECT_EQ(once.code, 0) << once.err;
  EXPECT_THAT(once.err, HasSubstr("delivered 700,000 records"));
}

TEST_F(CliTest, RecordsThatInputsLeaveBehindAreToldEverywhere) {
  write_config();
  std::string config = read("c.toml") + "inputs = [\"app\"]\nbatch = { max_size = \"64KiB\" }\n";
  write("c.toml", config);
  std::mt19937 random(1);
  std::string lines;
  for (int i = 0; i < 6000; ++i, lines += '\n')
    for (int k = 0; k < 200; ++k) lines += static_cast<char>('0' + random() % 64);
  write("in/a.log", lines);
  const std::string away = " --set sinks.archive.path=/media/edgehose-test/logs";
  EXPECT_EQ(run("run --once --timeout 3s --config c.toml" + away).code, 3);
  for (std::size_t at = 0; (at = config.find("app\"", at)) != std::string::npos; ++at)
    config.replace(at, 3, "app2");
  config.replace(config.find("sources.app"), 11, "sources.app2");
  write("c.toml", config);
  fs::remove(directory_ + "/in/a.log");

  const std::string told = " wait for sink archive, whose inputs do not name it any more";
  const Outcome check = run("check --config c.toml");
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.err, HasSubstr(told));
  EXPECT_THAT(run("status --config c.toml --json").out, HasSubstr(told));
  const Outcome once = run("run --once --timeout 60s --config c.toml");
  EXPECT_EQ(once.code, 1);
  EXPECT_THAT(once.err, HasSubstr("run --once: not delivered: "));
  EXPECT_THAT(once.err, HasSubstr(told));
  EXPECT_THAT(once.err, Not(HasSubstr("100 %")));
  EXPECT_FALSE(fs::is_empty(directory_ + "/out")) << "what was cut already";
}

// The first batches too, of which nobody knows yet how well they compress.
TEST_F(CliTest, NoObjectPassesItsBatchsSizeByMuch) {
  write_config();
  std::mt19937 random(1);
  std::string log;
  for (int i = 0; i < 60'000; ++i)
    log += "2026-11-23T10:" + std::to_string(10 + i / 1000) + " gw modbus[812]: unit " +
           std::to_string(random() % 32) + " register \"" + std::to_string(random() % 9999) +
           "\" value " + std::to_string(random()) + " quality good\n";
  write("in/a.log", log);
  for (const char* form :
       {"lines none", "ndjson none", "lines gzip", "ndjson gzip", "ndjson zstd"}) {
    const std::string both = form;
    const std::size_t blank = both.find(' ');
    const std::uint64_t size = both.ends_with("none") ? 1 << 20 : 256 << 10;  // blocks: 256 KiB raw
    fs::remove_all(directory_ + "/data");
    fs::remove_all(directory_ + "/out");
    fs::create_directory(directory_ + "/out");
    const Outcome once =
        run("run --once --timeout 60s --config c.toml --set sinks.archive.format=" +
            both.substr(0, blank) + " --set sinks.archive.compression=" + both.substr(blank + 1) +
            " --set sinks.archive.batch.max_size=" + std::to_string(size));
    ASSERT_EQ(once.code, 0) << once.err;
    std::uint64_t largest = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory_ + "/out"))
      if (entry.is_regular_file()) largest = std::max<std::uint64_t>(largest, entry.file_size());
    EXPECT_LE(largest, size * 11 / 10) << form;
    EXPECT_GE(largest, size / 3) << form;
  }
}

TEST_F(CliTest, OnceWithoutAMatchingFileWarnsAndIsDone) {
  write_config();
  const Outcome outcome = run("run --once --config c.toml");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("source app: no file matches " + directory_ + "/in/*.log\n"));
}

}  // namespace
}  // namespace edgehose
