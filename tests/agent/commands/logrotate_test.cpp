#include "agent/commands/logrotate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace edgehose {
namespace {

std::vector<LogrotateRule> rules(std::string_view text, bool everywhere = false) {
  return copytruncate_rules_in("rule", text, everywhere);
}

TEST(Logrotate, TellsWhatCopytruncateTouches) {
  const auto found = rules(R"(# copytruncate is only said here
/var/log/a.log /var/log/b/*.log
"/var/log/with blank.log" {
  weekly
  copytruncate # why not
}
/var/log/c.log { daily
}
/var/log/d.log {
  postrotate
    echo copytruncate
    copytruncate
  endscript
}
)");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].file, "rule");
  EXPECT_TRUE(rotates(found[0], "/var/log/a.log"));
  EXPECT_TRUE(rotates(found[0], "/var/log/b/x.log"));
  EXPECT_TRUE(rotates(found[0], "/var/log/with blank.log"));
  EXPECT_FALSE(rotates(found[0], "/var/log/b/c/x.log"));
  EXPECT_FALSE(rotates(found[0], "/var/log/c.log"));
}

TEST(Logrotate, DirectivesOutsideHoldForWhatFollows) {
  const auto found =
      rules("copytruncate\n/a {\n}\n/b {\nnocopytruncate\n}\nnocopytruncate\n/c {\n}\n");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(rotates(found[0], "/a"));
  EXPECT_EQ(rules("/a {\n}\n", true).size(), 1u);
}

TEST(Logrotate, ReadsTheFilesOfADevice) {
  char name[] = "/tmp/edgehose-logrotate-XXXXXX";
  const std::string etc = ::mkdtemp(name);
  EXPECT_TRUE(copytruncate_rules(etc).empty());
  std::filesystem::create_directories(etc + "/logrotate.d");
  std::ofstream(etc + "/logrotate.conf")
      << "weekly\ninclude /etc/logrotate.d\n/main.log {\ncopytruncate\n}\n";
  std::ofstream(etc + "/logrotate.d/app") << "/app.log {\n  copytruncate\n}\n";
  const auto found = copytruncate_rules(etc);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(rotates(found[0], "/main.log"));
  EXPECT_EQ(found[1].file, etc + "/logrotate.d/app");
  std::filesystem::remove_all(etc);
}

}  // namespace
}  // namespace edgehose
