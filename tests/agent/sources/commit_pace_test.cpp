// How soon what was handed in must be committed: at once where its file may go, as late as the
// profile says where it can be read again. Each commit wears the flash.
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class CommitPace : public FileSourceTest {
 protected:
  // Hands in one more line; whether that is urgent.
  bool urgent(const std::string& name) {
    append(name, lines("more", count_, count_ + 1));
    ++count_;
    const std::size_t before = out.got.size();
    run(200ms);
    EXPECT_EQ(out.got.size(), before + 1);
    return drain().urgent;
  }
  int count_ = 0;
};

TEST_F(CommitPace, OfARotationThatIsWrittenOnIsThatOfALogAfterAWhile) {
  append("a.log", lines("a", 0, 10));
  settle();
  rename("a.log", "a.log.1");
  run(1s);
  EXPECT_TRUE(urgent("a.log.1")) << "it may be compressed next";
  commit();
  run(10s);
  EXPECT_FALSE(urgent("a.log.1"));
  EXPECT_EQ(source->commit_patience(60s), Duration(60s)) << "it can be read again";
  rename("a.log.1", "a.log.2");
  run(1s);
  EXPECT_TRUE(drain().urgent) << "under another name again";
}

TEST_F(CommitPace, OfALogThatWasPutBackIsThatOfALog) {
  append("a.log", lines("a", 0, 100));
  settle();
  crash();
  shell("sleep 0.02; cp -p a.log b; mv b a.log");
  run(1s);
  commit();
  EXPECT_EQ(out.got.size(), 100u) << "known again";
  EXPECT_FALSE(urgent("a.log"));
  EXPECT_EQ(source->commit_patience(60s), Duration(60s));
}

TEST_F(CommitPace, OfWhatHasNoNameIsASecond) {
  config.poll_interval = 500ms;
  append("a.log", lines("a", 0, 10));
  settle();
  std::ofstream writer(path("a.log"), std::ios::app);
  remove("a.log");
  run(1s);
  writer << "just deleted\n" << std::flush;
  run(1s);
  EXPECT_TRUE(drain().urgent);
  commit();
  EXPECT_EQ(source->commit_patience(60s), Duration(60s));
  run(10s);
  writer << "its writer does not know\n" << std::flush;
  run(2s);
  EXPECT_EQ(out.got.size(), 12u);
  EXPECT_FALSE(drain().urgent) << "each line would be a commit";
  EXPECT_EQ(source->commit_patience(60s), Duration(1s)) << "nobody can read it again";
  commit();
  EXPECT_EQ(source->commit_patience(60s), Duration(60s));
}

}  // namespace
}  // namespace edgehose::testing
