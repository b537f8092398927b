// The built binary, as its user meets it: exit codes, words, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace edgehose {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

struct Outcome {
  int code = -1;
  std::string out;  // standard output
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    char name[] = "/tmp/edgehose-cli-XXXXXX";
    directory_ = ::mkdtemp(name);
    ::chmod(directory_.c_str(), 0755);
  }
  ~CliTest() override { fs::remove_all(directory_); }

  // Runs it with these arguments, as a shell reads them, in the test's directory.
  Outcome run(const std::string& arguments, const std::string& before = "") {
    const std::string command = "cd " + directory_ + " && " + before + " " EDGEHOSE_BINARY " " +
                                arguments + " 2>stderr.txt";
    Outcome outcome;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> chunk{};
    for (std::size_t n; (n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
      outcome.out.append(chunk.data(), n);
    const int status = ::pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.err = read("stderr.txt");
    return outcome;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/" + name, std::ios::binary).rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << text;
  }
  // A config that reads in/*.log and delivers into out/.
  void write_config() {
    fs::create_directories(directory_ + "/in");
    fs::create_directories(directory_ + "/out");
    write("c.toml", "[agent]\nid = \"gw\"\ndata_dir = \"" + directory_ +
                        "/data\"\n[sources.app]\ntype = \"file\"\npaths = [\"" + directory_ +
                        "/in/*.log\"]\n[sinks.archive]\ntype = \"directory\"\npath = \"" +
                        directory_ + "/out\"\n");
  }

  std::string directory_;
};

TEST_F(CliTest, HelpAndVersion) {
  EXPECT_EQ(run("help").code, 0);
  EXPECT_THAT(run("help buffer").out, HasSubstr("buffer verify"));
  EXPECT_THAT(run("run --help").out, HasSubstr("--timeout DURATION"));
  EXPECT_THAT(run("version").out, MatchesRegex("edgehose [0-9.]+\n(.|\n)*zstd +[0-9.]+\n(.|\n)*"));
  EXPECT_EQ(run("--version").code, 0);
}

TEST_F(CliTest, WrongLinesExitWith2) {
  const Outcome unknown = run("statsu");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_THAT(unknown.err, HasSubstr("did you mean \"status\"?\nSee: edgehose help\n"));
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("run --timeout 5").code, 2);
  EXPECT_EQ(run("run --timeout 5s").code, 2) << "it needs --once";
  EXPECT_EQ(run("help nonsense").code, 2);
  EXPECT_EQ(run("status --log-level loud").code, 2);
  EXPECT_EQ(run("key new").code, 2);
}

TEST_F(CliTest, EveryErrorOfAConfigIsToldAtOnce) {
  write("c.toml", "[agent]\nnonsense = 1\n[buffer]\nwhen_full = \"blck\"\n");
  for (const char* command : {"run", "check", "buffer list"}) {
    const Outcome outcome = run(std::string(command) + " --config c.toml");
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.err, HasSubstr("c.toml:2:")) << command;
    EXPECT_THAT(outcome.err, HasSubstr("c.toml:4:")) << command;
  }
}

TEST_F(CliTest, AnAgeKeyIsPrivateAndNeverOverwritten) {
  const Outcome made = run("key new --age --output k.txt", "umask 0;");
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, MatchesRegex("age1[a-z0-9]+\n"));
  struct stat info {};
  ASSERT_EQ(::stat((directory_ + "/k.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const std::string content = read("k.txt");
  EXPECT_THAT(content, HasSubstr("# public key: " + made.out));
  EXPECT_THAT(content, HasSubstr("AGE-SECRET-KEY-1"));
  EXPECT_THAT(made.err, Not(HasSubstr("AGE-SECRET-KEY-1")));

  EXPECT_EQ(run("key new --age --output k.txt").code, 1);
  EXPECT_EQ(read("k.txt"), content);
}

TEST_F(CliTest, ABufferKeyIs64HexadecimalDigits) {
  const Outcome made = run("key new --buffer");
  EXPECT_EQ(made.code, 0);
  EXPECT_THAT(made.out, MatchesRegex("[0-9a-f]+\n"));
  EXPECT_EQ(made.out.size(), 65u);
  EXPECT_NE(run("key new --buffer").out, made.out);
}

class DecryptTest : public CliTest {
 protected:
  void SetUp() override {
    if (std::system("command -v age >/dev/null && command -v zstd >/dev/null") != 0)
      GTEST_SKIP() << "needs age and zstd";
    ASSERT_EQ(run("key new --age --output k.txt >recipient").code, 0);
    write("plain.log", kPlain);
    shell("zstd -q plain.log -o a.log.zst && age -r $(cat recipient) -o a.log.zst.age a.log.zst");
  }
  void shell(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + directory_ + " && " + command).c_str()), 0) << command;
  }
  const std::string kPlain = "one\ntwo\nthree\n";
};

TEST_F(DecryptTest, OpensWhatTheToolsMade) {
  EXPECT_EQ(run("decrypt --identity k.txt a.log.zst.age").out, kPlain);
  EXPECT_EQ(run("decrypt --identity k.txt - <a.log.zst.age").out, kPlain);
  EXPECT_EQ(run("decrypt a.log.zst").out, kPlain);
  EXPECT_EQ(run("decrypt --keep-compressed --identity k.txt a.log.zst.age").out, read("a.log.zst"));
}

TEST_F(DecryptTest, IntoADirectoryUnderThePlainName) {
  fs::create_directory(directory_ + "/d");
  ASSERT_EQ(run("decrypt --identity k.txt --output d a.log.zst.age").code, 0);
  EXPECT_EQ(read("d/a.log"), kPlain);
  EXPECT_EQ(run("decrypt --identity k.txt --output d a.log.zst a.log.zst.age").code, 2)
      << "both would be d/a.log";
}

TEST_F(DecryptTest, DamageLeavesNoFile) {
  fs::create_directory(directory_ + "/d");
  shell("head -c 220 a.log.zst.age > cut.age");
  const Outcome outcome = run("decrypt --identity k.txt --output d/whole cut.age");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cut.age"));
  EXPECT_TRUE(fs::is_empty(directory_ + "/d"));
}

TEST_F(DecryptTest, AWrongKeyAndNoKeyAreTold) {
  ASSERT_EQ(run("key new --age --output other.txt").code, 0);
  EXPECT_EQ(run("decrypt --identity other.txt a.log.zst.age").code, 1);
  const Outcome none = run("decrypt a.log.zst.age");
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, HasSubstr("--identity FILE"));
  EXPECT_EQ(run("decrypt --identity missing.txt a.log.zst.age").code, 2);
}

TEST_F(DecryptTest, OneBadFileDoesNotStopTheOthers) {
  const Outcome outcome = run("decrypt --identity k.txt missing.age a.log.zst.age");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, kPlain);
}

TEST_F(CliTest, StatusOfAnAgentThatNeverRanIsDown) {
  write_config();
  const Outcome outcome = run("status --config c.toml");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, HasSubstr("edgehose gw: down"));
  EXPECT_THAT(outcome.out, HasSubstr("the agent is not running"));
  EXPECT_THAT(run("status --json --config c.toml").out, HasSubstr("\"running\": false"));
}

TEST_F(CliTest, CheckShowsWhatAConfigMeans) {
  write_config();
  write("in/a.log", "12345\n");
  const Outcome outcome = run("check --config c.toml");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("sinks.archive.path"));
  EXPECT_THAT(outcome.out, HasSubstr("The config is good.\n  memory, at worst "));
  EXPECT_THAT(outcome.out, HasSubstr("\n  a first start ships             6 B  of 1 file\n"));
  EXPECT_THAT(
      outcome.out,
      MatchesRegex("(.|\n)*  archive \\(directory\\):\n    /tmp/.*/out/.*\\.log\\.zst\n(.|\n)*"));
  EXPECT_GT(outcome.out.find("sinks.archive.path = "), outcome.out.find("Disk, at worst, below"))
      << "the config in effect comes last";
  EXPECT_FALSE(fs::exists(directory_ + "/data")) << "it changes nothing";
}

TEST_F(CliTest, CheckFitsATerminal) {
  write_config();
  write("in/a.log", "12345\n");
  std::istringstream lines(run("check --config c.toml").out);
  for (std::string line; std::getline(lines, line);)
    if (line.find(directory_) == std::string::npos) {
      EXPECT_LE(line.size(), 80u) << line;
    }
}

TEST_F(CliTest, ADirectoryAmongThePathsIsTold) {
  write_config();
  const std::string paths = " --set 'sources.app.paths=[\"" + directory_ + "/in\"]'";
  const std::string hint = directory_ + "/in is a directory: write " + directory_ +
                           "/in/*.log, or " + directory_ + "/in/** for all files below it";
  EXPECT_THAT(run("check --config c.toml" + paths).err, HasSubstr(hint));
  EXPECT_THAT(run("run --once --config c.toml" + paths).err, HasSubstr(hint));
}

TEST_F(CliTest, CheckFailsOnWhatWouldFailLater) {
  write_config();
  const Outcome missing =
      run("check --config c.toml --set sinks.archive.path=/srv/edgehose-test/a/logs");
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("/srv/edgehose-test/a/logs is not there"));
  EXPECT_EQ(run("check --config c.toml --set sinks.archive.path=/etc/passwd").code, 1);
}

// `run` waits for it.
TEST_F(CliTest, CheckWarnsOfAStickThatIsNotPluggedIn) {
  write_config();
  const Outcome outcome =
      run("check --config c.toml --set sinks.archive.path=/media/edgehose-test/logs");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("warning: sink archive: /media/edgehose-test/logs is not there: "));
}

TEST_F(CliTest, CheckAcceptsTheExample) {
  ASSERT_EQ(run("config example > c.toml").code, 0);
  const Outcome outcome = run("check --config c.toml --set agent.data_dir=" + directory_ + "/data");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(CliTest, CheckWarnsOfAPlaceWhereNothingIsMounted) {
  struct stat root {
  }, mnt{};
  ASSERT_EQ(::stat("/", &root), 0);
  if (::stat("/mnt", &mnt) != 0 || mnt.st_dev != root.st_dev)
    GTEST_SKIP() << "something is mounted on /mnt";
  write_config();
  const Outcome outcome = run("check --config c.toml --set sinks.archive.path=/mnt");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("warning: sink archive: nothing is mounted at or above /mnt: "));
}

TEST_F(CliTest, CheckRefusesADataDirThatIsNoPlaceForFiles) {
  write_config();
  for (const char* path : {"/proc/edgehose", "/sys"}) {
    const Outcome outcome = run(std::string("check --config c.toml --set agent.data_dir=") + path);
    EXPECT_EQ(outcome.code, 1) << path;
    EXPECT_THAT(outcome.err, HasSubstr("made up by the kernel"));
    EXPECT_THAT(outcome.err, HasSubstr("put agent.data_dir on a local disk"));
  }
  write("file", "");
  const Outcome file =
      run("check --config c.toml --set agent.data_dir=" + directory_ + "/file/data");
  EXPECT_EQ(file.code, 1);
  EXPECT_THAT(file.err, HasSubstr(directory_ + "/file is not a directory"));
}

TEST_F(CliTest, CheckShowsTheBuffersEpochInKeysOnceItIsThere) {
  write_config();
  write("in/a.log", "12345\n");
  const std::string zeros(32, '0');
  const Outcome before = run("check --config c.toml");
  EXPECT_THAT(before.out, HasSubstr(zeros));
  EXPECT_THAT(before.out, HasSubstr("zeros: the epoch"));
  ASSERT_EQ(run("run --once --config c.toml").code, 0);
  const Outcome after = run("check --config c.toml");
  EXPECT_THAT(after.out, Not(HasSubstr(zeros)));
  EXPECT_THAT(after.out, Not(HasSubstr("zeros: the epoch")));
}

TEST_F(CliTest, CheckTellsAPrefixesWarningsAtItsKey) {
  write_config();
  write("c.toml", read("c.toml") + "prefix = \"!{timestamp:YYYY/DD}/\"\n");
  const Outcome outcome = run("check --config c.toml");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              MatchesRegex("(.|\n)*c.toml:10:10: prefix: .*YYYY, the year that the week(.|\n)*"));
  EXPECT_THAT(outcome.err,
              MatchesRegex("(.|\n)*c.toml:10:10: prefix: .*DD, the day of the year(.|\n)*"));
  const Outcome started = run("run --once --config c.toml");
  EXPECT_THAT(started.err, HasSubstr("c.toml:10:10: prefix: "));
}

TEST_F(CliTest, CheckCountsAFileOfTwoSourcesOnce) {
  write_config();
  write("in/a.log", "12345\n");
  const Outcome outcome =
      run("check --config c.toml --set sources.second.type=file --set 'sources.second.paths=[\"" +
          directory_ + "/in/*.log\"]'");
  EXPECT_THAT(outcome.out, HasSubstr(" 6 B  of 1 file\n"));
  EXPECT_THAT(outcome.err, HasSubstr("source second: 1 file that it names is read by [sources."));
  EXPECT_THAT(outcome.err, Not(HasSubstr("no file matches")));
}

TEST_F(CliTest, DecryptIntoADirectoryThatIsNotThereSaysSo) {
  write("a.log", "x\n");
  const Outcome outcome = run("decrypt --output new/ a.log");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("new/ is not a directory: make it first"));
}

TEST_F(CliTest, WhatASinkCannotTakeIsAWrongConfig) {
  write_config();
  for (const char* command : {"check", "run --once"}) {
    const Outcome outcome =
        run(std::string(command) +
            " --config c.toml --set sinks.archive.prefix=%Y/ --set agent.timezone=Mars/Olympus");
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err,
                HasSubstr("--set sinks.archive.prefix: prefix: %Y is strftime's spelling"));
    EXPECT_THAT(outcome.err,
                HasSubstr("--set agent.timezone: timezone: \"Mars/Olympus\" is not in"));
  }
}

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

TEST_F(CliTest, ForgettingSaysWhatItWouldDo) {
  write_config();
  write("in/a.log", "one\ntwo\n");
  ASSERT_EQ(run("run --once --timeout 60s --config c.toml").code, 0);

  const Outcome sink = run("buffer forget archive --config c.toml");
  EXPECT_EQ(sink.code, 2);
  EXPECT_EQ(sink.out,
            "Sink archive: 0 records (0 B) would not be delivered by it; 0 batches that are\n"
            "under way are given up.\n"
            "It is in the config: a running agent refuses; at the next start it begins anew,\n"
            "and what it delivered and is still buffered may be delivered twice.\n"
            "Nothing was changed. To do it:\n"
            "  edgehose buffer forget --config c.toml archive --yes\n");
  const Outcome source = run("buffer forget --source app --config c.toml");
  EXPECT_EQ(source.code, 2);
  EXPECT_EQ(source.out,
            "Source app: its blocks and cursors are dropped; 0 records (0 B) that sinks\n"
            "still wait for would be lost, counted as forgotten. Positions belong to files\n"
            "and stay.\n"
            "It is in the config: a running agent refuses; at the next start it goes on\n"
            "where its files were read to.\n"
            "Nothing was changed. To do it:\n"
            "  edgehose buffer forget --config c.toml --source app --yes\n");
  const Outcome positions = run("buffer forget --positions --config c.toml");
  EXPECT_EQ(positions.code, 2);
  EXPECT_EQ(positions.out,
            "0 positions are of files that no source in the config can reach.\n"
            "Nothing was changed. To do it:\n"
            "  edgehose buffer forget --config c.toml --positions --yes\n");
  EXPECT_EQ(run("buffer forget --source app --positions --config c.toml").code, 2);

  const Outcome done = run("buffer forget archive --yes --config c.toml");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(done.out.ends_with("Forgotten.\n")) << done.out;
  const Outcome again = run("buffer forget archive --yes --config c.toml");
  EXPECT_EQ(again.code, 1) << "it is forgotten already";
  EXPECT_THAT(again.err, HasSubstr("the buffer knows no sink \"archive\""));
}

// As systemd does, which passes its unit's credentials and variables to the service alone.
TEST_F(CliTest, CommandsThatNeedNoSecretAskForNone) {
  write_config();
  ASSERT_EQ(run("key new --buffer > bk").code, 0);
  std::string config = read("c.toml");
  config.replace(config.find("\"gw\""), 4, "\"${EDGEHOSE_TEST_ID}\"");
  write("c.toml", config + "[buffer]\nencryption_keys = [{ credential = \"bk\" }]\n");
  write("in/a.log", "one\ntwo\n");
  const std::string given = "EDGEHOSE_TEST_ID=gw-7 CREDENTIALS_DIRECTORY=" + directory_;
  const std::string nowhere = " --config c.toml --set sinks.archive.path=/media/edgehose-test/logs";
  ASSERT_EQ(run("run --once --timeout 2s" + nowhere, given).code, 3);

  for (const char* command : {"buffer list", "buffer confirm archive", "dead-letters list"}) {
    const Outcome outcome = run(std::string(command) + " --config c.toml");
    EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.err;
  }
  EXPECT_THAT(run("buffer list --config c.toml").out, HasSubstr(" app "));
  EXPECT_THAT(run("buffer forget archive --config c.toml").out,
              HasSubstr("2 records (8 B) would not be delivered"));
  EXPECT_EQ(run("status --config c.toml").code, 2);
  EXPECT_THAT(run("status --config c.toml").out, HasSubstr("2"));

  const Outcome verify = run("buffer verify --config c.toml");
  EXPECT_EQ(verify.code, 1);
  EXPECT_THAT(verify.out, HasSubstr("What could be opened is sound"));
  EXPECT_THAT(verify.err, HasSubstr("pass the credential \"bk\" with LoadCredential="));
  const Outcome bodies = run("buffer export --config c.toml", "EDGEHOSE_TEST_ID=gw-7");
  EXPECT_EQ(bodies.code, 1);
  EXPECT_THAT(bodies.err, HasSubstr("what is asked for is encrypted: secret not read"));
  const Outcome who = run("buffer export --config c.toml", "CREDENTIALS_DIRECTORY=" + directory_);
  EXPECT_EQ(who.code, 2) << "its lines would name another agent";
  EXPECT_THAT(who.err, HasSubstr("EDGEHOSE_TEST_ID is not set"));
}

TEST_F(CliTest, WhereTheBufferIsNoCommandGuesses) {
  write_config();
  const std::string place = " --config c.toml --set 'agent.data_dir=${EDGEHOSE_TEST_PLACE}'";
  const Outcome outcome = run("buffer list" + place);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("data_dir: an environment variable in it is not set here"));
}

TEST_F(CliTest, ASourceThatBeginsAnewOverwritesNoObject) {
  write_config();
  const std::string once =
      "run --once --timeout 60s --config c.toml --set sinks.archive.prefix=all/";
  const auto lines = [](const std::string& line) {
    std::string text;
    for (int i = 0; i < 50; ++i) text += line;
    return text;
  };
  write("in/a.log", lines("first\n"));
  ASSERT_EQ(run(once).code, 0);
  ASSERT_EQ(run("buffer forget --source app --yes --config c.toml").code, 0);
  write("in/b.log", lines("second\n"));
  ASSERT_EQ(run(once).code, 0);
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory_ + "/out/all"))
    if (entry.is_regular_file()) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre(HasSubstr("0001-000000000050"),
                                                   HasSubstr("0051-000000000100")));
}

TEST_F(CliTest, DeadLettersWithoutAny) {
  write_config();
  write("in/a.log", "one\n");
  ASSERT_EQ(run("run --once --timeout 60s --config c.toml").code, 0);
  EXPECT_EQ(run("dead-letters replay --all --config c.toml").out, "No dead letter to replay.\n");
  EXPECT_EQ(run("dead-letters purge --all --yes --config c.toml").out, "0 dead letters deleted.\n");
  const Outcome one = run("dead-letters replay 7 --config c.toml");
  EXPECT_EQ(one.code, 1);
  EXPECT_THAT(one.err, HasSubstr("there is no dead letter 7"));
  EXPECT_EQ(run("dead-letters replay --config c.toml").code, 2) << "numbers, or --all";
}

TEST_F(CliTest, ExportHasWhatIsNotDelivered) {
  write_config();
  write("in/a.log", "one\ntwo\n");
  const std::string nowhere = " --set sinks.archive.path=/media/edgehose-test/logs";
  EXPECT_EQ(run("run --once --timeout 2s --config c.toml" + nowhere).code, 3);
  EXPECT_EQ(run("buffer export --config c.toml").out, "one\ntwo\n");
  EXPECT_THAT(run("buffer export --format ndjson --config c.toml").out,
              HasSubstr("\"sequence\":2,"));
}

// Encrypted: what opens a file that was set aside lies beside the living buffer.
TEST_F(CliTest, ExportOfABufferThatWasSetAside) {
  write_config();
  ASSERT_EQ(run("key new --buffer > buffer.key").code, 0);
  write("c.toml", read("c.toml") + "[buffer]\nencryption_keys = [{ file = \"" + directory_ +
                      "/buffer.key\" }]\n");
  write("in/a.log", "one\ntwo\n");
  const std::string nowhere = " --config c.toml --set sinks.archive.path=/media/edgehose-test/logs";
  EXPECT_EQ(run("run --once --timeout 2s" + nowhere).code, 3);
  const std::string buffer = directory_ + "/data/buffer.mdb";
  std::fstream(buffer, std::ios::in | std::ios::out | std::ios::binary)
      .write(std::string(8192, '\0').data(), 8192);
  EXPECT_EQ(run("run --once --timeout 2s" + nowhere).code, 3);
  std::string aside;
  for (const auto& entry : fs::directory_iterator(directory_ + "/data"))
    if (entry.path().string().find(".salvaged-") != std::string::npos) aside = entry.path();
  ASSERT_NE(aside, "") << "it stays while records in it are not delivered";
  const Outcome lines = run("buffer export --config c.toml --file " + aside);
  EXPECT_EQ(lines.code, 0) << lines.err;
  EXPECT_EQ(lines.out, "one\ntwo\n");
  const Outcome ndjson =
      run("buffer export --config c.toml --format ndjson --source app --file " + aside);
  EXPECT_THAT(ndjson.out, HasSubstr("\"source\":\"app\",\"sequence\":2,"));
  EXPECT_EQ(run("buffer export --config c.toml --source ap --file " + aside).code, 1);
  EXPECT_EQ(run("buffer export --config c.toml --file " + buffer).out, "one\ntwo\n")
      << "a sound one";
  EXPECT_EQ(run("buffer export --config c.toml --file missing").code, 1);
}

TEST_F(CliTest, DamageAtAnObjectsBeginningIsNoPlainText) {
  write("a.log.zst.age", "garbage");
  write("b.log.zst", "garbage");
  write("c.log", "a line\n");
  const Outcome age = run("decrypt a.log.zst.age");
  EXPECT_EQ(age.code, 1);
  EXPECT_EQ(age.out, "");
  EXPECT_THAT(age.err, HasSubstr("a.log.zst.age is no age file"));
  EXPECT_EQ(run("decrypt b.log.zst").code, 1);
  EXPECT_EQ(run("decrypt c.log").out, "a line\n");
}

TEST_F(CliTest, OutputThatFindsNoRoomIsAFailure) {
  EXPECT_EQ(run("help > /dev/full").code, 1);
  const Outcome reference = run("config reference > /dev/full");
  EXPECT_EQ(reference.code, 1);
  EXPECT_THAT(reference.err, HasSubstr("writing standard output: No space left on device"));
}

// Descriptor 2 must not become the buffer's, or its lock's.
TEST_F(CliTest, ClosedStandardDescriptorsTakeNoLogIntoTheBuffer) {
  write_config();
  write("in/a.log", "one\n");
  const std::string line =
      "cd " + directory_ + " && " EDGEHOSE_BINARY " run --once --config c.toml <&- >&- 2>&-";
  EXPECT_EQ(std::system(line.c_str()), 0);
  EXPECT_THAT(read("data/lock"), MatchesRegex("[0-9]+\n"));
  EXPECT_EQ(run("buffer verify --config c.toml").code, 0);
}

TEST_F(CliTest, ReferenceAndExample) {
  EXPECT_THAT(run("config reference").out, HasSubstr("max_record_bytes"));
  EXPECT_THAT(run("config example").out, HasSubstr("[sinks.archive]"));
  EXPECT_THAT(run("config example --all").out, HasSubstr("free_disk_percent"));
}

}  // namespace
}  // namespace edgehose
