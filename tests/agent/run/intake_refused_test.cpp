// The disk refuses records when they are committed, not when they are appended (root: mounts ext4).
#include "tests/agent/run/intake_fixture.h"
#include "tests/buffer/mounted_disk.h"
#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

class IntakeRefusedAtCommit : public IntakeTest {
 protected:
  void SetUp() override {
    if (!disk_.mount(store_options_.directory, 64 * kMiB, kMountExt4))
      GTEST_SKIP() << "needs root and a loop device: mounts ext4";
    directory_ = std::exchange(store_options_.directory, disk_.path() + "/data");
    store_options_.max_size = 30 * kMiB;
    store_options_.free_disk_percent = 5;
    batch_ = {64 << 10, std::chrono::hours(1)};
  }
  ~IntakeRefusedAtCommit() override {
    intake_.reset();
    store_.reset();
    if (!directory_.empty()) store_options_.directory = directory_;
  }
  // Much is free in the buffer's file, but nowhere enough in a row for a large block.
  void leave_gaps() {
    const auto opened = Store::open(store_options_, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    Store& store = **opened;
    const SourceId app = store.source_id("app"), gone = store.source_id("gone");
    {
      const auto txn = store.begin();
      ASSERT_TRUE((*txn)->add_lane({store.sink_id(sink_name_), app}, {BlockNumber(1), 0}));
      ASSERT_TRUE((*txn)->commit());
    }
    for (std::uint64_t seed = 0; seed < 140; ++seed) {
      const auto txn = store.begin();
      for (const SourceId source : {app, gone})
        ASSERT_TRUE((*txn)->append(noise(source, 100'000, seed)));
      ASSERT_TRUE((*txn)->commit());
    }
    const auto txn = store.begin();
    ASSERT_TRUE((*txn)->forget_source(gone));
    ASSERT_TRUE((*txn)->commit());
  }
  void pass(Duration time) {
    for (const Instant end = clock_.now() + time; clock_.now() < end;
         clock_.advance(std::chrono::seconds(1)))
      run();
  }

  MountedDisk disk_;
  std::string directory_;
};

TEST_F(IntakeRefusedAtCommit, AcknowledgementsAreCommittedWhereDroppingFailsToo) {
  options_.when_full = WhenFull::kDropNewest;
  leave_gaps();
  start();
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_GE(claims.size(), 2u);
  disk_.fill(0);
  dense_lines(250'000);
  run();
  ASSERT_NE(intake_->status().read().disk_full, "");
  Instant tried{};  // with records; what comes in the same instant is the attempt to drop them
  unsigned failed = 0;
  source_->on_checkpoint = [&]() -> Status {
    if (std::exchange(tried, clock_.now()) != clock_.now()) return {};
    ++failed;
    return fail(ErrorCode::kIo, "not to be written");
  };
  pass(std::chrono::seconds(30));
  const unsigned before = failed;
  settle(claims.back());  // it lets nothing go: what was cut earlier is not delivered
  clock_.advance(std::chrono::minutes(1));
  run();
  EXPECT_GT(failed, before);
  const auto stored = store_->claims();
  ASSERT_TRUE(stored);
  const auto last = std::ranges::find(*stored, claims.back().id, &Claim::id);
  ASSERT_NE(last, stored->end());
  EXPECT_TRUE(last->done) << "in that instant, not at the next attempt";
}

}  // namespace
}  // namespace edgehose
