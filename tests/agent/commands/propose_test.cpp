#include "agent/commands/propose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/config/load.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  std::string root_;
};

TEST_F(ProposeTest, ReadsWhatIsThere) {
  touch("/var/log/syslog");
  touch("/var/log/auth.log");
  touch("/var/log/syslog.1.gz");
  touch("/var/log/my app/a.log");
  touch("/var/log/nginx/access.log");
  touch("/var/log/private/readme.txt");
  const FoundLogs found = look_for_logs(root_);
  EXPECT_THAT(found.system, ElementsAre("/var/log/auth.log", "/var/log/syslog"));
  EXPECT_THAT(found.directories, ElementsAre("/var/log/my app", "/var/log/nginx"));
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("[sources.my-app]"));
  EXPECT_THAT(toml, HasSubstr("\"/var/log/nginx/**/*.log\""));
  expect_loads(toml);
}

TEST_F(ProposeTest, SaysSoWhereOnlyTheJournalExists) {
  fs::create_directories(root_ + "/var/log/journal/0123");
  const FoundLogs found = look_for_logs(root_);
  EXPECT_THAT(found.system, IsEmpty());
  EXPECT_TRUE(found.journal);
  EXPECT_THAT(proposed_config(found), HasSubstr("systemd journal only"));
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, AnEmptyDeviceGetsAConfigToo) {
  const FoundLogs found = look_for_logs(root_);
  EXPECT_FALSE(found.journal);
  EXPECT_THAT(proposed_config(found), HasSubstr("No logs were found"));
  expect_loads(proposed_config(found));
}

TEST_F(ProposeTest, NamesStayApart) {
  const FoundLogs found{
      {"/var/log/syslog"}, {"/var/log/a b", "/var/log/a-b", "/var/log/system"}, false};
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("[sources.a-b]"));
  EXPECT_THAT(toml, HasSubstr("[sources.a-b-2]"));
  EXPECT_THAT(toml, HasSubstr("[sources.system-2]"));
  expect_loads(toml);
}

TEST_F(ProposeTest, NamesAreThoseOfSources) {
  const std::string longest(200, 'x');
  const FoundLogs found{{},
                        {"/var/log/PostgreSQL", "/var/log/postgresql", "/var/log/\xC3\xA4.b",
                         "/var/log/" + longest, "/var/log/" + longest + "y"},
                        false};
  const std::string toml = proposed_config(found);
  EXPECT_THAT(toml, HasSubstr("[sources.postgresql]"));
  EXPECT_THAT(toml, HasSubstr("[sources.postgresql-2]"));
  EXPECT_THAT(toml, HasSubstr("[sources.---b]"));
  EXPECT_THAT(toml, HasSubstr("\"/var/log/PostgreSQL/**/*.log\""));
  expect_loads(toml);
}

TEST_F(ProposeTest, ThreeOfAName) {
  const FoundLogs found{{}, {"/var/log/a b", "/var/log/a-b", "/var/log/A-B"}, false};
  EXPECT_THAT(proposed_config(found), HasSubstr("[sources.a-b-3]"));
  expect_loads(proposed_config(found));
}

}  // namespace
}  // namespace edgehose
