// Rotations that cannot be read are told while they are there, over restarts too, and counted once.
#include <filesystem>

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class Unreadable : public FileSourceTest {
 protected:
  // A log that was read, grew while nobody looked, and was then rotated by `how`, which makes a
  // file of a.log.1.
  void rotate_unread(const std::string& how, int lines_more = 20) {
    append("a.log", lines("a", 0, 50));
    run(1s);
    commit();
    source.reset();
    append("a.log", lines("a", 50, 50 + lines_more));
    shell("touch -d '10 seconds' a.log");  // bzip2 keeps whole seconds
    shell("mv a.log a.log.1 && " + how);
    append("a.log", lines("b", 0, 3));
    run(10s);
    commit();
  }
  void restart() {
    source.reset();
    run(10s);
  }
  bool tells(const std::string& text) const {
    return source->health().unreadable && source->health().problem.find(text) != std::string::npos;
  }
};

TEST_F(Unreadable, WhatIsNotSupportedIsToldAfterARestartUnderItsNameOfThen) {
  for (const std::string ending : {"xz", "bz2"}) {
    rotate_unread((ending == "xz" ? "xz" : "bzip2") + std::string(" -k a.log.1 && rm a.log.1"));
    EXPECT_GT(source->health().losses.lost_bytes, 0u);
    restart();
    EXPECT_TRUE(tells("a.log.1." + ending + " is a rotation that cannot be read")) << ending;
    EXPECT_TRUE(tells("decompress it in its place"));
    rename("a.log.1." + ending, "a.log.2." + ending);
    run(2 * config.poll_interval);
    EXPECT_TRUE(tells("a.log.2." + ending + " is a rotation")) << "as it is called now";
    commit();
    restart();
    EXPECT_TRUE(tells("a.log.2." + ending));
    EXPECT_EQ(source->health().losses.lost_bytes, 0u) << "once, in that life";
    remove("a.log.2." + ending);
    run(2 * config.poll_interval);
    EXPECT_EQ(source->health().problem, "");
    TearDown();
    out.got.clear();
    store.files.clear();
    committed = 0;
    SetUp();
  }
}

TEST_F(Unreadable, DamageIsToldAfterARestart) {
  rotate_unread("gzip a.log.1 && truncate -s 30000 a.log.1.gz", 20'000);
  EXPECT_TRUE(tells("a.log.1.gz is readable up to byte"));
  restart();
  EXPECT_TRUE(tells("a.log.1.gz is readable up to byte"));
  EXPECT_TRUE(tells("remove it once it is of no use"));
  EXPECT_EQ(source->health().losses.lost_bytes, 0u) << "counted in the life that found it";
}

TEST_F(Unreadable, WhatIsDamagedFromItsStartIsToldAfterARestart) {
  rotate_unread("rm a.log.1 && head -c 5000 /dev/urandom >a.log.1.gz");
  restart();
  EXPECT_TRUE(tells("a.log.1.gz is a rotation that cannot be read (damaged"));
}

TEST_F(Unreadable, AnArchiveFromBeforeAndOneThatWasReadAreNotToldAfterARestart) {
  shell("echo old >a.log.2 && xz a.log.2");
  append("a.log", lines("a", 0, 50));
  run(1s);
  commit();
  source.reset();
  shell("mv a.log a.log.1 && xz a.log.1");  // nothing was written meanwhile
  append("a.log", lines("b", 0, 3));
  run(10s);
  commit();
  restart();
  EXPECT_EQ(source->health().problem, "");
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

}  // namespace
}  // namespace edgehose::testing
