#include "agent/commands/propose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/commands/rsyslog.h"
#include "agent/config/load.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class ProposeTest : public ::testing::Test {
 protected:
  ProposeTest() {
    char name[] = "/tmp/edgehose-propose-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~ProposeTest() override { fs::remove_all(root_); }
  void touch(const std::string& path) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << "line\n";
  }
  // The proposal loads without an error.
  void expect_loads(const std::string& toml) {
    const std::string path = root_ + "/proposed.toml";
    std::ofstream(path) << toml;
    const auto loaded = load_config({path, {}, true}, make_schema());
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().errors[0].text()) << "\n" << toml;
  }
  static std::vector<std::string> names(const FoundDevice& found) {
    std::vector<std::string> all;
    for (const FoundLogs& logs : found.applications) all.push_back(logs.name);
    return all;
  }
  // A device with a system log, and with these directories of /var/log.
  static FoundDevice applications(const std::vector<std::string>& directories) {
    FoundDevice found;
    found.system = {"/var/log/syslog"};
    found.syslog = true;
    for (const std::string& name : directories)
      found.applications.push_back({name, {"/var/log/" + name + "/**/*.log"}});
    return found;
  }
  std::string root_;
};

TEST_F(ProposeTest, ReadsWhatIsThere) {
  touch("/var/log/syslog");
  touch("/var/log/auth.log");
  touch("/var/log/syslog.1.gz");
  touch("/var/log/my app/a.log");
  touch("/var/log/nginx/access.log");
  touch("/var/log/private/readme.txt");
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(found.system, ElementsAre("/var/log/auth.log", "/var/log/syslog"));
  EXPECT_THAT(names(found), ElementsAre("my app", "nginx"));
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("[sources.my-app]"));
  EXPECT_THAT(toml, HasSubstr("\"/var/log/nginx/**/*.log\""));
  expect_loads(toml);
}

// By what they are called, also further down; a rotation alone is nobody's log.
TEST_F(ProposeTest, ApplicationsAreKnownByTheirFiles) {
  touch("/var/log/cups/access_log");
  touch("/var/log/plant/north/cell7/cycle.log");
  touch("/var/log/both/a.log");
  touch("/var/log/both/old/b_log");
  touch("/var/log/gone/a.log.1");
  touch("/var/log/far/1/2/3/4/a.log");
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(names(found), ElementsAre("both", "cups", "plant"));
  EXPECT_THAT(found.applications[0].patterns,
              UnorderedElementsAre("/var/log/both/**/*.log", "/var/log/both/**/*_log"));
  EXPECT_THAT(found.applications[1].patterns, ElementsAre("/var/log/cups/**/*_log"));
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, ProgramsThatComeAsADirectoryHaveTheirLogsThere) {
  touch("/opt/acme/logs/server.log");
  touch("/opt/acme/bin/install.log");
  touch("/srv/shop/log/shop.log");
  touch("/srv/data/big.log");
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(names(found), ElementsAre("acme", "shop"));
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("[sources.acme]\ntype  = \"file\"\npaths = "
                              "[\"/opt/acme/logs/**/*.log\"]\n"));
  expect_loads(toml);
}

TEST_F(ProposeTest, ContainersAreShownAndNotReadUnasked) {
  touch("/var/lib/docker/containers/0123/0123-json.log");
  touch("/var/log/pods/default_web_1/web/0.log");
  touch("/var/log/containers/web.log");
  touch("/var/log/syslog");
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(found.applications, IsEmpty());
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("# [sources.docker]\n# type  = \"file\"\n# paths = "
                              "[\"/var/lib/docker/containers/*/*-json.log\"]\n"));
  EXPECT_THAT(toml, HasSubstr("# [sources.pods]"));
  EXPECT_THAT(toml, Not(HasSubstr("sources.containers")));
  expect_loads(toml);
  std::string wanted = toml;
  for (std::size_t at; (at = wanted.find("# [sources.docker]")) != std::string::npos;)
    wanted.replace(at, 2, "")
        .replace(wanted.find("# type", at), 2, "")
        .replace(wanted.find("# paths", at), 2, "");
  EXPECT_THAT(wanted, HasSubstr("\n[sources.docker]\ntype  = \"file\"\npaths = "));
  expect_loads(wanted);
}

TEST_F(ProposeTest, SaysSoWhereOnlyTheJournalExists) {
  fs::create_directories(root_ + "/var/log/journal/0123");
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(found.system, IsEmpty());
  EXPECT_TRUE(found.journal);
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("systemd journal alone"));
  EXPECT_THAT(toml, HasSubstr("apt install rsyslog"));
  EXPECT_THAT(toml, HasSubstr("[sources.system]\ntype  = \"file\"\npaths = "
                              "[\"/var/log/all.log\"]\n"));
  expect_loads(toml);
}

// As on Debian 12 without rsyslog: what packages log is not what the system logs.
TEST_F(ProposeTest, LogsOfPackagesAreNoSystemLog) {
  fs::create_directories(root_ + "/var/log/journal/0123");
  touch("/var/log/dpkg.log");
  touch("/var/log/apt/history.log");
  const std::string toml = proposed_config(look_for_logs(root_));
  EXPECT_THAT(toml, HasSubstr("systemd journal alone"));
  EXPECT_THAT(toml, HasSubstr("paths = [\n  \"/var/log/all.log\",\n  \"/var/log/dpkg.log\",\n]"));
  EXPECT_THAT(toml, HasSubstr("[sources.apt]"));
  expect_loads(toml);
}

TEST_F(ProposeTest, WithRsyslogTheJournalIsNotMentioned) {
  fs::create_directories(root_ + "/var/log/journal/0123");
  for (const char* main : {"/var/log/syslog", "/var/log/all.log", "/var/log/messages"}) {
    touch(main);
    EXPECT_THAT(proposed_config(look_for_logs(root_)), Not(HasSubstr("journal"))) << main;
    fs::remove(root_ + main);
  }
}

// What rsyslog writes is what the proposal reads, before and after.
TEST_F(ProposeTest, TheDropInWritesWhatTheProposalReads) {
  const std::string file = "file=\"" + std::string(kRsyslogFile) + "\"";
  EXPECT_THAT(std::string(rsyslog_drop_in()), HasSubstr(file));
  EXPECT_THAT(std::string(rsyslog_rotation()), HasSubstr(std::string(kRsyslogFile) + "\n{"));
  fs::create_directories(root_ + "/var/log/journal/0123");
  const std::string before = proposed_config(look_for_logs(root_));
  touch(std::string(kRsyslogFile));
  const std::string after = proposed_config(look_for_logs(root_));
  for (const std::string& toml : {before, after})
    EXPECT_THAT(toml, HasSubstr("paths = [\"" + std::string(kRsyslogFile) + "\"]"));
}

TEST_F(ProposeTest, AnEmptyDeviceGetsAConfigToo) {
  const FoundDevice found = look_for_logs(root_);
  EXPECT_FALSE(found.journal);
  EXPECT_THAT(proposed_config(found), HasSubstr("No logs were found"));
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, NamesThatAConfigCannotHoldAreEscapedOrLeftOut) {
  touch("/var/log/a*[1]\"\n.log");
  touch("/var/log/\xFF\xFE.log");
  touch("/var/log/w\xC3\xA4rme {1}/a.log");
  const FoundDevice found = look_for_logs(root_);
  ASSERT_EQ(found.system.size(), 1u);
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, TellsWhatItMayNotLookInto) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may look into everything: run as a user";
  touch("/var/log/closed/a.log");
  fs::permissions(root_ + "/var/log/closed", fs::perms::none);
  const FoundDevice found = look_for_logs(root_);
  EXPECT_THAT(found.closed, ElementsAre("/var/log/closed"));
  EXPECT_THAT(proposed_config(found), HasSubstr("root sees what is in them"));
  expect_loads(proposed_config(found));
  fs::permissions(root_ + "/var/log/closed", fs::perms::owner_all);
}

TEST_F(ProposeTest, WhatIsClosedIsNamedInAComment) {
  FoundDevice found;
  found.closed = {"/var/log/a\nb"};
  EXPECT_THAT(proposed_config(found), HasSubstr("#   \"/var/log/a\\nb\"\n"));
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, NamesStayApart) {
  const std::string toml = proposed_config(applications({"a b", "a-b", "system", "A-B"}));
  for (const char* name : {"a-b", "a-b-2", "a-b-3", "system-2"})
    EXPECT_THAT(toml, HasSubstr(std::string("[sources.") + name + "]"));
  expect_loads(toml);
}

TEST_F(ProposeTest, NamesAreThoseOfSources) {
  const std::string longest(200, 'x');
  const std::string toml = proposed_config(
      applications({"PostgreSQL", "postgresql", "\xC3\xA4.b", longest, longest + "y"}));
  EXPECT_THAT(toml, HasSubstr("[sources.postgresql]"));
  EXPECT_THAT(toml, HasSubstr("[sources.postgresql-2]"));
  EXPECT_THAT(toml, HasSubstr("[sources.---b]"));
  EXPECT_THAT(toml, HasSubstr("\"/var/log/PostgreSQL/**/*.log\""));
  expect_loads(toml);
}

}  // namespace
}  // namespace edgehose
