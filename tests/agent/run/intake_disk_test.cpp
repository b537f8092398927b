// The buffer's disk is full, not the buffer: under each policy (root: mounts ext4); and commits
// that fail because records cannot be written.
#include <sys/resource.h>

#include <csignal>

#include "tests/agent/run/intake_fixture.h"
#include "tests/buffer/mounted_disk.h"
#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

constexpr auto kFull = static_cast<std::size_t>(DropReason::kBufferFull);

class IntakeOnASmallDisk : public IntakeTest {
 protected:
  void SetUp() override {
    if (!disk_.mount(store_options_.directory, 64 * kMiB, kMountExt4))
      GTEST_SKIP() << "needs root and a loop device: mounts ext4";
    directory_ = std::exchange(store_options_.directory, disk_.path() + "/data");
    store_options_.max_size = 30 * kMiB;
    store_options_.free_disk_percent = 5;
    batch_ = {1 << 20, seconds(5)};
  }
  ~IntakeOnASmallDisk() override {
    intake_.reset();
    store_.reset();
    if (!directory_.empty()) store_options_.directory = directory_;
  }
  // Some records in the buffer, not acknowledged, and then not a byte left on the disk.
  void start_and_fill_disk() {
    start();
    dense_lines(50'000);
    pass(seconds(10));
    ASSERT_TRUE(source_->lines.empty());
    disk_.fill(0);
    dense_lines(500'000);
  }
  // 10 MiB to be delivered, and as much that is free, but nowhere enough in a row for a block.
  void fill_with_gaps() {
    auto opened = Store::open(store_options_, clock_);
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
    for (const Instant end = clock_.now() + time; clock_.now() < end; clock_.advance(seconds(1)))
      run();
  }
  IntakeStatus shown() const { return intake_->status().read(); }

  MountedDisk disk_;
  std::string directory_;
};

TEST_F(IntakeOnASmallDisk, BlockWaitsTakesAcknowledgementsAndGoesOn) {
  start_and_fill_disk();
  pass(minutes(2));
  EXPECT_TRUE(shown().blocked);
  EXPECT_THAT(shown().disk_full, testing::HasSubstr("buffer.free_disk_percent"));
  EXPECT_EQ(shown().problem, "") << "to wait for room is no failure";
  ASSERT_FALSE(source_->lines.empty());
  EXPECT_EQ(deliver_all(), 550'000u) << "what is acknowledged makes room, on a full disk";
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_EQ(lane().buffered(), Counter{});
  EXPECT_EQ(lane().dropped[kFull], Counter{});
}

TEST_F(IntakeOnASmallDisk, BlockGoesOnWhenTheDiskHasRoom) {
  start_and_fill_disk();
  pass(minutes(1));
  ASSERT_TRUE(shown().blocked);
  const std::size_t left = source_->lines.size();
  disk_.clear();
  pass(seconds(10));
  EXPECT_LT(source_->lines.size(), left);
  EXPECT_EQ(shown().disk_full, "");
}

TEST_F(IntakeOnASmallDisk, DropOldestDropsWhereTheDiskIsFull) {
  options_.when_full = WhenFull::kDropOldest;
  batch_ = {64 << 10, hours(1)};
  start_and_fill_disk();
  claims_.take();
  pass(minutes(3));
  EXPECT_TRUE(source_->lines.empty());
  const LaneState state = lane();
  EXPECT_EQ(state.committed.records, 550'000u);
  EXPECT_GT(state.dropped[kFull].records, 0u);
  EXPECT_GT(state.buffered().records, 30'000u) << "no more than has to go";
}

// The disk refuses what fitted while it was appended, where LMDB puts it.
TEST_F(IntakeOnASmallDisk, DropOldestDropsWhereOnlyCommitsAreRefused) {
  options_.when_full = WhenFull::kDropOldest;
  batch_ = {64 << 10, hours(1)};
  fill_with_gaps();
  start();
  disk_.fill(0);
  dense_lines(250'000);
  pass(minutes(1));
  claims_.take();
  pass(minutes(3));
  EXPECT_TRUE(source_->lines.empty()) << source_->lines.size();
  const LaneState state = lane();
  EXPECT_EQ(state.committed.records, 250'140u);
  EXPECT_GT(state.dropped[kFull].records, 0u);
  EXPECT_LT(state.dropped[kFull].records, 55u) << "no more than has to go";
}

// Records, and that they are dropped, cannot be written.
TEST_F(IntakeOnASmallDisk, AcknowledgementsAreCommittedWhereDroppingFailsToo) {
  options_.when_full = WhenFull::kDropNewest;
  batch_ = {64 << 10, hours(1)};
  fill_with_gaps();
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
  pass(seconds(30));
  const unsigned before = failed;
  settle(claims.back());  // it lets nothing go: what was cut earlier is not delivered
  clock_.advance(minutes(1));
  run();
  EXPECT_GT(failed, before);
  const auto stored = store_->claims();
  ASSERT_TRUE(stored);
  const auto last = std::ranges::find(*stored, claims.back().id, &Claim::id);
  ASSERT_NE(last, stored->end());
  EXPECT_TRUE(last->done) << "in that instant, not at the next attempt";
}

TEST_F(IntakeOnASmallDisk, DropNewestDropsWhereTheDiskIsFull) {
  options_.when_full = WhenFull::kDropNewest;
  start_and_fill_disk();
  pass(minutes(3));
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_EQ(lane().dropped[kFull], Counter{});
  const SourceState source = store_->sources()->at(0);
  EXPECT_GT(source.not_taken.records, 0u);
  EXPECT_EQ(source.not_taken.records + source.committed.records, 550'000u);
}

TEST_F(IntakeOnASmallDisk, TheLogTellsTheDiskFromTheBufferAndWhatFollows) {
  options_.when_full = WhenFull::kDropNewest;
  testing::internal::CaptureStderr();
  start_and_fill_disk();
  pass(seconds(2));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("buffer: its disk is full, sources wait for sinks, then records "
                                 "are dropped (drop_newest): the file system of "));
}

// No file grows past `bytes` meanwhile.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const struct rlimit limit { bytes, before_.rlim_max };
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*const handler_)(int);
  struct rlimit before_ {};
};

// Records take pages beyond the file's end, which the limit of a file's size forbids here, as a
// dying disk may; acknowledgements do not.
TEST_F(IntakeTest, AcknowledgementsAreCommittedWhereRecordsCannotBe) {
  batch_ = {64 << 10, seconds(5)};
  start();
  dense_lines(10'000);
  for (int i = 0; i < 10; ++i) {
    run();
    clock_.advance(seconds(5));
  }
  const std::vector<Claim> claims = claims_.take();
  ASSERT_GE(claims.size(), 2u);
  struct stat st {};
  ASSERT_EQ(::stat((store_options_.directory + "/buffer.mdb").c_str(), &st), 0);
  std::optional<FileSizeLimit> small(std::in_place,
                                     static_cast<std::uint64_t>(st.st_size) + (16 << 10));
  dense_lines(100'000);
  for (const Claim& claim : claims) settle(claim);
  run();
  clock_.advance(seconds(2));
  run();
  const IntakeStatus status = intake_->status().read();
  const std::uint64_t delivered = lane().delivered.records;
  small.reset();
  EXPECT_NE(status.problem, "");
  std::uint64_t settled = 0;
  for (const Claim& claim : claims) settled += claim.size.records;
  EXPECT_EQ(delivered, settled);
  clock_.advance(minutes(1));
  run();
  EXPECT_EQ(intake_->status().read().problem, "");
}

}  // namespace
}  // namespace edgehose
