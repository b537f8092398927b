// What `check` tells of sources that the service's unit keeps from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/commands/check_report.h"
#include "agent/commands/service_user.h"
#include "agent/sources/file_config.h"

namespace edgehose {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> told(const std::string& path, const ServiceUnit& unit) {
  FileSourceConfig source;
  source.name = "app";
  source.paths = {path};
  Config config;
  config.sources = {{"app", "file", {}, source}};
  ManualClock clock;
  Findings findings;
  check_sources(config, {}, unit, {}, clock, findings);
  EXPECT_THAT(findings.errors, IsEmpty());
  return findings.warnings;
}

ServiceUnit unit(const std::string& lines) { return {true, "[Service]\n" + lines, ""}; }

TEST(CheckSources, HomesAndTmpNameTheirDropIn) {
  EXPECT_THAT(told("/home/nobody-here/*.log", unit("ProtectHome=yes\n")),
              Contains(AllOf(HasSubstr("homes are closed"), HasSubstr("home-logs.conf"))));
  EXPECT_THAT(told("/home/nobody-here/*.log", unit("ProtectHome=read-only\n")),
              Not(Contains(HasSubstr("home-logs.conf"))));
  EXPECT_THAT(told("/tmp/none-of-these-*.log", unit("PrivateTmp=yes\n")),
              Contains(AllOf(HasSubstr("a /tmp of its own"), HasSubstr("tmp-logs.conf"))));
  EXPECT_THAT(told("/tmp/none-of-these-*.log", unit("PrivateTmp=yes\nPrivateTmp=no\n")),
              Not(Contains(HasSubstr("tmp-logs.conf"))));
}

// As `check` does: in a child that gives root up.
class AsNobody : public ::testing::Test {
 protected:
  AsNobody() {
    char name[] = "/tmp/edgehose-sources-XXXXXX";
    root_ = ::mkdtemp(name);
    ::chmod(root_.c_str(), 0755);
    path_ = root_ + "/app.log";
    std::ofstream(path_) << "a line\n";
    ::chmod(path_.c_str(), 0600);
  }
  ~AsNobody() override { std::filesystem::remove_all(root_); }
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root, to give it up";
  }
  // The warnings, one after the other; the child's exit tells whether `expected` is among them.
  void expect(const ServiceUnit& unit, bool readable, const std::string& expected) const {
    EXPECT_EXIT(
        {
          const bool became =
              become({"#65534", 65534, 65534}, {}, unit.reads_everything()).has_value();
          std::string all;
          for (const std::string& warning : told(path_, unit)) all += warning + "\n";
          ::fprintf(stderr, "%s\n", all.c_str());
          ::_exit(became && may_read(path_) == readable ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), expected);
  }

  std::string root_, path_;
};

TEST_F(AsNobody, AFileOfItsOwnerAloneNamesTheDropIn) {
  expect(unit("User=edgehose\n"), false,
         "cannot be read: .*setfacl.*\n.*all-logs.conf changes that: install");
}

TEST_F(AsNobody, AFileOfAGroupNamesTheGroup) {
  ASSERT_EQ(::chown(path_.c_str(), 0, find_group("adm").value_or(4)), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  expect(unit("User=edgehose\n"), false, "usermod -aG adm ");
}

TEST_F(AsNobody, WithTheDropInItIsRead) {
  expect(unit("User=edgehose\nAmbientCapabilities=CAP_DAC_READ_SEARCH\n"), true, "^\n$");
}

}  // namespace
}  // namespace edgehose
