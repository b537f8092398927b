// The built binary, as its user meets it: exit codes, words, files.
#include "tests/agent/commands/cli_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

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

TEST_F(CliTest, CheckTellsWarningsBesideErrors) {
  write_config();
  write("c.toml", read("c.toml") + "nonsense = 1\nprefix = \"{timestamp:yyyy}/\"\n");
  const Outcome outcome = run("check --config c.toml");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("error: c.toml:10:1: unknown key \"nonsense\""));
  EXPECT_THAT(outcome.err,
              HasSubstr("warning: c.toml:11:10: prefix: {timestamp:...} is no expression"));
  EXPECT_THAT(outcome.err, HasSubstr("\n1 error, 1 warning. Files, disks"));
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

// As age-keygen does: what the shell made is not changed.
TEST_F(CliTest, AKeyThatIsRedirectedToAReadableFileIsWarnedOf) {
  const Outcome open = run("key new --buffer >k.txt", "umask 022;");
  EXPECT_EQ(open.code, 0);
  EXPECT_THAT(open.err, HasSubstr("others may open (mode 0644): chmod 600 it"));
  EXPECT_THAT(run("key new --age >a.txt", "umask 077;").err, Not(HasSubstr("others may open")));
  EXPECT_THAT(run("key new --age").err, Not(HasSubstr("others may open"))) << "a pipe";
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

// What the config names is told from what the buffer alone knows.
TEST_F(CliTest, StatusWithoutAnAgentKnowsTheConfigsSources) {
  write_config();
  write("in/a.log", "12345\n");
  ASSERT_EQ(run("run --once --config c.toml").code, 0);
  const std::string as_app = run("status --json --config c.toml").out;
  EXPECT_THAT(as_app, HasSubstr("\"records\": 1"));
  EXPECT_THAT(as_app, Not(HasSubstr("\"configured\": false")));
  std::string config = read("c.toml");
  config.replace(config.find("[sources.app]"), 13, "[sources.two]");
  write("c.toml", config);
  const std::string as_two = run("status --json --config c.toml").out;
  EXPECT_THAT(as_two, HasSubstr("\"name\": \"app\""));
  EXPECT_THAT(as_two, HasSubstr("\"name\": \"two\""));
  EXPECT_THAT(as_two, HasSubstr("\"configured\": false"));
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

// Of every option: what it needs of the device (a stick) is no error of the config; the one secret
// that it cannot do without is there.
TEST_F(CliTest, CheckReadsTheExampleOfEveryOption) {
  ASSERT_EQ(run("config example --all > c.toml").code, 0);
  write("hec-token", "token");
  const Outcome outcome =
      run("check --config c.toml --set agent.data_dir=" + directory_ + "/data",
          "env -u AWS_REGION -u AWS_DEFAULT_REGION CREDENTIALS_DIRECTORY=" + directory_);
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

TEST_F(CliTest, CheckNamesThePatternThatMatchesNothing) {
  write_config();
  write("in/a.log", "12345\n");
  const Outcome outcome = run("check --config c.toml --set 'sources.app.paths=[\"" + directory_ +
                              "/in/*.log\", \"" + directory_ + "/in/*.lgo\"]'");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err,
              HasSubstr("source app: no file matches " + directory_ + "/in/*.lgo now\n"));
}

TEST_F(CliTest, APatternThatLeadsToAFileOfAnotherIsNoPatternThatMatchesNothing) {
  write_config();
  write("in/a.log", "12345\n");
  std::filesystem::create_symlink("a.log", directory_ + "/in/current");
  std::filesystem::create_hard_link(directory_ + "/in/a.log", directory_ + "/in/twin");
  const Outcome outcome =
      run("check --config c.toml --set 'sources.app.paths=[\"" + directory_ + "/in/*.log\", \"" +
          directory_ + "/in/current\", \"" + directory_ + "/in/twin\"]'");
  EXPECT_THAT(outcome.out, HasSubstr(" of 1 file\n"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("no file matches")));
}

TEST_F(CliTest, CheckCountsNothingOfTheAgentsOwn) {
  write_config();
  write("in/a.log", "12345\n");
  const std::string below = " --config c.toml --set agent.data_dir=" + directory_ +
                            "/in/data --set sinks.archive.path=" + directory_ +
                            "/in/out --set 'sources.app.paths=[\"" + directory_ + "/in/**\"]'";
  ASSERT_EQ(run("run --once" + below).code, 0);
  EXPECT_THAT(run("check" + below).out, HasSubstr(" 6 B  of 1 file\n"));
}

// A log below a source's glob: each line of it that was read would make the next.
TEST_F(CliTest, ItsOwnOutputIsNotReadAndThatIsTold) {
  write_config();
  write("in/a.log", "one\n");
  run("run --once --config c.toml 2>in/own.log; true");
  EXPECT_THAT(read("in/own.log"),
              HasSubstr("in/own.log is where this process's own output goes: it is not read\n"));
  EXPECT_THAT(run("buffer verify --config c.toml").out, HasSubstr("1 file,"));
  run("check --config c.toml 2>in/own.log; true");
  EXPECT_THAT(read("in/own.log"), HasSubstr("in/own.log is where this command's own output goes;"));
}

TEST_F(CliTest, DecryptMakesTheDirectoryThatItsOutputNames) {
  write("a.log", "x\n");
  write("b.log", "y\n");
  EXPECT_EQ(run("decrypt --output new/er/ a.log b.log").code, 0);
  EXPECT_EQ(read("new/er/a.log"), "x\n");
  EXPECT_EQ(read("new/er/b.log"), "y\n");
  EXPECT_EQ(run("decrypt --output wrong/ a.log a.log").code, 2);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/wrong")) << "nothing was done";
  const Outcome in_the_way = run("decrypt --output a.log/ b.log");
  EXPECT_EQ(in_the_way.code, 1);
  EXPECT_THAT(in_the_way.err, HasSubstr("a.log"));
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
