// `buffer` and `dead-letters`, as their user meets them.
#include "tests/agent/commands/cli_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;

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

// A dead sink's backlog of one source: dropped while no agent runs, counted, and it goes on.
TEST_F(CliTest, ABacklogOfOneSinkAndSourceIsDropped) {
  write_config();
  write("in/a.log", "one\ntwo\n");
  const std::string away = " --set sinks.archive.path=/media/edgehose-test/logs";
  ASSERT_EQ(run("run --once --timeout 2s --config c.toml" + away).code, 3);
  const Outcome told = run("buffer forget archive --source app --config c.toml");
  EXPECT_EQ(told.code, 2);
  EXPECT_THAT(told.out, HasSubstr("Sink archive: 2 records (8 B) of source app would not be"));
  EXPECT_THAT(told.out, HasSubstr("--config c.toml archive --source app --yes"));
  EXPECT_EQ(run("buffer forget archive --source app --positions --config c.toml").code, 2);
  EXPECT_EQ(run("buffer forget archive --source other --yes --config c.toml").code, 1);
  const Outcome done = run("buffer forget archive --source app --yes --config c.toml");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("Dropped: 2 records (8 B) of source app"));
  write("in/a.log", "one\ntwo\nthree\n");
  ASSERT_EQ(run("run --once --timeout 60s --config c.toml").code, 0);
  const std::string status = run("status --json --config c.toml").out;
  EXPECT_THAT(status, HasSubstr("\"forgotten\": {\n          \"records\": 2,"));
  EXPECT_THAT(status, HasSubstr("\"delivered\": {\n        \"records\": 1,"));
}

}  // namespace
}  // namespace edgehose
