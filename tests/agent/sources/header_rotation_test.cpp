// Rotations of less than 1 KiB, a header maybe: what tells contents apart is not in them yet.
#include "agent/sources/file_table.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class AHeaderRotation : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    append("a.log", header_);
    settle();
    rename("a.log", "a.log.1");
    append("a.log", header_ + text_);
    settle();
  }
  void copy_in_two_writes(Duration pause) {
    const std::string content = header_ + text_;
    write("a.log.1", content.substr(0, content.size() / 3));
    run(pause);
    append("a.log.1", content.substr(content.size() / 3));
  }
  const std::string header_ = "# header\n";
  const std::string text_ = lines("a", 0, 3000);
};

TEST_F(AHeaderRotation, IsACopyWhileThatIsBeingMade) {
  copy_in_two_writes(500ms);
  truncate("a.log");
  run(90s);
  expect_once(header_ + header_ + text_);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
}

// The log is truncated while its copy is hashed in steps.
TEST_F(AHeaderRotation, IsACopyOfWhatIsTruncatedMeanwhile) {
  std::string large;
  for (int i = 0; i < 30'000; ++i) large += std::to_string(i) + std::string(1000, ' ') + "\n";
  append("a.log", large);
  settle();
  copy("a.log", "a.log.1");
  clock.advance(200ms);
  drain();
  truncate("a.log");
  append("a.log", header_ + lines("b", 0, 10));
  clock.advance(200ms);
  run(90s);
  expect_once(header_ + header_ + text_ + large + header_ + lines("b", 0, 10));
}

// What was read of the log goes past its copy.
TEST_F(AHeaderRotation, IsACopyMadeBeforeTheLastLines) {
  append("a.log", "last\n");
  run(500ms);
  write("a.log.1", header_ + text_);
  run(500ms);
  truncate("a.log");
  run(90s);
  expect_once(header_ + header_ + text_ + "last\n");
}

// Its writer never rests: each visit meets another size than the look before it.
TEST_F(AHeaderRotation, IsReadWhileItIsWrittenToAllTheTime) {
  source.reset();
  int written = 0;
  const InterruptingClock interrupting(clock, [&] {
    append("a.log.1", lines("late", written, written + 40));
    written += 40;
  });
  start(interrupting);
  for (int step = 0; step < 50; ++step) {
    drain();
    clock.advance(100ms);
  }
  int late = 0;
  for (const Got& got : out.got) late += got.body.starts_with("late ") ? 1 : 0;
  EXPECT_GT(late, written / 2);
  source.reset();
}

// Its logs begin with the same 1 KiB and more.
class ASkippedArchive : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    config.paths = {dir + "/a.log*"};
    environment.once = true;
    append("a.log.1", header_ + lines("archive", 0, 300));
    shell("touch -d '2 days ago' a.log.1 && gzip a.log.1");
    append("a.log", "");
    settle();
    append("a.log", header_ + lines("a", 0, 300));
    settle();
    source.reset();
  }
  const std::string header_ = std::string(1300, '#') + "\n";
};

TEST_F(ASkippedArchive, IsNotTakenForARotationThatBeginsLikeIt) {
  rename("a.log", "a.log.2");
  append("a.log.1", header_ + lines("b", 0, 300));
  shell("touch -d '1 day ago' a.log.1");
  append("a.log", header_ + lines("c", 0, 300));
  run();
  expect_once(header_ + lines("a", 0, 300) + header_ + lines("b", 0, 300) + header_ +
              lines("c", 0, 300));
  EXPECT_EQ(source->health().copied_bytes, 0u);
}

TEST_F(ASkippedArchive, IsLeftWhereItIsUnpackedAndThatIsTold) {
  shell("gunzip a.log.1.gz");
  run();
  expect_once(header_ + lines("a", 0, 300));
  EXPECT_EQ(source->health().copied_bytes, std::filesystem::file_size(path("a.log.1")));
}

// Compressed or not, at the first look of all.
TEST_F(FileSourceTest, AnArchiveFromBeforeIsNotReadWhereItBeginsLikeItsLog) {
  const std::string header = std::string(1300, '#') + "\n";
  append("a.log.1", header + lines("plain", 0, 10));
  append("a.log.2", header + lines("packed", 0, 10));
  shell("gzip a.log.2");
  append("a.log", header + lines("a", 0, 100));
  settle();
  expect_once(header + lines("a", 0, 100));
}

// Whoever cannot be placed keeps what is younger from being read for a while only.
TEST_F(FileSourceTest, AFileThatStaysUnclearHoldsItsLogBackNoLongerThanOthersDo) {
  config.paths = {dir + "/a.log*"};
  append("a.log.1", "older\n");
  shell("touch -d '1 hour ago' a.log.1");
  append("a.log", "younger\n");
  auto loaded = FileTable::load({config}, store, clock, environment);
  ASSERT_TRUE(loaded);
  FileTable& table = **loaded;
  table.service(0);
  TrackedFile* const older = table.next_ready(0);
  ASSERT_EQ(older->path, path("a.log.1"));
  table.hold_back_younger(*older);
  EXPECT_EQ(table.next_ready(0), nullptr);
  clock.advance(kHoldBack + 1s);
  table.service(0);
  table.next_ready(0);
  table.hold_back_younger(*older);
  EXPECT_TRUE(table.has_ready(0));
}

}  // namespace
}  // namespace edgehose::testing
