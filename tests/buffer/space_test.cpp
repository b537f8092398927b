// The room a buffer takes: the map, pages given back to the disk, compaction.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

// --- the map -------------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitsAddressSpace = false;  // the sanitizer reserves terabytes of it
#else
constexpr bool kLimitsAddressSpace = true;
#endif

std::uint64_t address_space() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(MapSize, AndLimitAreEachOthersInverse) {
  for (const std::uint64_t limit :
       {64 * kMiB, 100 * kMiB + 1, 100 * kMiB + 2, 512 * kMiB, 4096 * kMiB})
    EXPECT_EQ(lmdb::max_size_for(lmdb::map_size_for(limit, 64)), limit);
  for (std::uint64_t limit = kMiB; limit < 64 * kMiB; limit += kMiB)
    EXPECT_GE(lmdb::max_size_for(lmdb::map_size_for(limit, 64)), limit) << "lowered for nothing";
  EXPECT_LT(lmdb::max_size_for(lmdb::map_size_for(4096 * kMiB, 32)), 1024 * kMiB);
  EXPECT_GT(lmdb::max_size_for(2 * kMiB), 0u);
}

// As on a 32-bit machine: the buffer is full earlier, by its own count and never by LMDB's.
TEST_F(SpaceTest, AMapThatIsRefusedTakesTheLimitDownWithIt) {
  if (!kLimitsAddressSpace) GTEST_SKIP() << "a sanitizer needs the address space";
  options_.max_size = 256 * kMiB;
  EXPECT_EQ(in_child([&] {
              const rlimit little{address_space() + 100 * kMiB, RLIM_INFINITY};
              ASSERT_EQ(::setrlimit(RLIMIT_AS, &little), 0);
              open_with_lane();
              EXPECT_LT(store_->usage().limit, 80 * kMiB);
              EXPECT_GT(store_->usage().limit, 40 * kMiB);
              for (int round = 0; round < 3; ++round) {
                const Error full = fill();
                EXPECT_EQ(full.code, ErrorCode::kFull);
                EXPECT_THAT(full.message, testing::HasSubstr("all that this machine can map"));
                EXPECT_LE(store_->usage().used, store_->usage().limit);
                deliver(store_->end_block());
                EXPECT_TRUE(blocks().empty());
              }
            }),
            0);
  open();
  EXPECT_EQ(store_->usage().limit, options_.max_size) << "where the machine maps it";
}

// Less and less is tried, down to the file itself, and then it is told.
TEST_F(SpaceTest, AMapThatIsRefusedHoweverSmallItIsIsAnError) {
  if (!kLimitsAddressSpace) GTEST_SKIP() << "a sanitizer needs the address space";
  const std::string path = directory_.path() + "/new.mdb";  // of two pages
  EXPECT_EQ(in_child([&] {
              const rlimit none{address_space(), RLIM_INFINITY};
              ASSERT_EQ(::setrlimit(RLIMIT_AS, &none), 0);
              const auto refused = lmdb::Environment::open(path, 64 * kMiB, false);
              ASSERT_FALSE(refused);
              EXPECT_EQ(refused.error().sys, ENOMEM);
            }),
            0);
}

// --- a limit that was lowered --------------------------------------------------------------------

class LoweredLimit : public SpaceTest {
 protected:
  // Every page of the file is in use, and far beyond the new limit's map.
  void SetUp() override {
    SpaceTest::SetUp();
    options_.max_size = 40 * kMiB;
    open_with_lane();
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    store_.reset();
    options_.max_size = 8 * kMiB;
    ASSERT_GT(file_size(), lmdb::map_size_for(options_.max_size));
    open();
    EXPECT_EQ(store_->usage().limit, 8 * kMiB);
  }
  Error refused() {
    const auto txn = begin();
    const auto info = txn->append(noise(source_, 250'000, 1));
    return info ? Error{} : info.error();
  }
};

TEST_F(LoweredLimit, IsDrainedToAndTheFileShrinks) {
  while (blocks().size() > 20 && !HasFailure()) {
    if (store_->usage().used > options_.max_size) {
      EXPECT_EQ(refused().code, ErrorCode::kFull);
    }
    deliver(BlockNumber(lane(lane_).cursor.block.value + 10));
    expect_all_readable();
  }
  add(5);
  expect_all_readable();
  const std::uint64_t before = allocated();
  store_->maintain();
  if (allocated() < before) {  // else this file system punches no holes
    EXPECT_LT(allocated(), lmdb::map_size_for(8 * kMiB));
  }
  store_.reset();
  open();
  EXPECT_LT(file_size(), 16 * kMiB) << "compacted";
  expect_all_readable();
  deliver(store_->end_block());
  store_.reset();
  expect_sound();
}

TEST_F(LoweredLimit, DropOldestComesDownToIt) {
  auto txn = begin();
  const auto dropped = txn->drop_oldest(300'000, {lane_}, DropScope::kAny);
  ASSERT_TRUE(dropped) << dropped.error().message;
  EXPECT_GT(dropped->records, 100u);
  EXPECT_TRUE(txn->append(noise(source_, 250'000, 1)));
  ASSERT_TRUE(txn->commit());
  txn.reset();
  begin();  // measures
  EXPECT_LE(store_->usage().used, 8 * kMiB);
  EXPECT_GT(store_->usage().used, 7 * kMiB) << "no more than that";
  store_.reset();
  expect_sound();
}

// --- a damaged header of pages
// ---------------------------------------------------------------------

// LMDB frees what the 16 bytes before a block say; no checksum covers them.
TEST_F(SpaceTest, ABlockIsTrimmedWhateverThePageHeaderBeforeItSays) {
  open_with_lane();
  add(12);
  ASSERT_TRUE(store_->close());
  store_.reset();
  const std::string pristine = *read_file(environment(), 64 * kMiB);
  const std::size_t page =
      pristine.find(kBlockMagic, 2 * lmdb::kPageBytes) / lmdb::kPageBytes * lmdb::kPageBytes;
  const auto raw = raw_;
  const std::size_t word = sizeof(std::size_t), whole = word + 8;
  for (const std::string& header :
       {std::string(whole, '.'), std::string(whole, '\0'), std::string(whole, '\xff'),
        pristine.substr(page, word + 4) + std::string("\2\0\0\0", 4),
        std::string(word, '\7') + pristine.substr(page + word, 8)}) {
    std::string bad = pristine;
    bad.replace(page, header.size(), header);
    store_.reset();
    ASSERT_TRUE(replace_file(environment(), bad, 0600));
    raw_ = raw;
    open();
    expect_all_readable();
    deliver_all_but(1);
    EXPECT_LT(store_->usage().used, kMiB) << "its pages are free again";
    for (int round = 0; round < 3; ++round) {
      add(12);
      expect_all_readable();
      deliver_all_but(1);
    }
    EXPECT_LT(file_size(), 8 * kMiB);
    store_.reset();
    expect_sound();
  }
}

// --- disk given back -----------------------------------------------------------------------------

TEST_F(SpaceTest, PunchingGivesDiskBackAndKeepsEveryRecord) {
  options_.max_size = 256 * kMiB;
  open_with_lane();
  add(550);
  deliver_all_but(20);
  add(2);  // what the trim freed is older than the last two commits now
  const std::uint64_t before = allocated();
  ASSERT_GT(before, 90 * kMiB);
  store_->maintain();
  if (allocated() == before) GTEST_SKIP() << "this file system punches no holes";
  EXPECT_LT(allocated(), 64 * kMiB);
  EXPECT_GT(allocated(), options_.reserve) << "the reserve stays";
  EXPECT_GT(file_size(), 90 * kMiB);
  expect_all_readable();
  add(300);  // into the holes
  expect_all_readable();
  store_.reset();
  expect_sound();
}

// What a reader can still look at is not punched, and it reads on while the rest is.
TEST_F(SpaceTest, PunchingSparesWhatAReaderLooksAt) {
  options_.max_size = 256 * kMiB;
  open_with_lane();
  add(400);
  deliver(BlockNumber(391));
  add(2);  // pages of 1 to 390 are free, and older than the reader
  int ready[2], go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  char c = 0;
  const pid_t reader = ::fork();
  if (reader == 0) {
    auto env = lmdb::Environment::open(environment(), lmdb::map_size_for(options_.max_size), true);
    auto txn = env->begin_read();
    auto cursor = lmdb::Cursor::open(*txn);
    bool whole = ::write(ready[1], "r", 1) == 1 && ::read(go[0], &c, 1) == 1;
    unsigned seen = 0;
    for (auto e = cursor->at_or_after(keyspace::kBlockPrefix);
         whole && e && *e && (*e)->key.starts_with(keyspace::kBlockPrefix);
         e = cursor->next(), ++seen)
      whole = open_block((*e)->value, nullptr).has_value();
    ::_exit(whole && seen == 12 ? 0 : 1);
  }
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  add(380);
  deliver_all_but(3);  // the reader's blocks go too: their pages are too new to punch
  add(2);
  const std::uint64_t before = allocated();
  store_->maintain();
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  int status = 1;
  ASSERT_EQ(::waitpid(reader, &status, 0), reader);
  EXPECT_EQ(status, 0) << "the reader did not find its 12 blocks whole";
  const std::uint64_t beside = allocated();
  add(2);
  store_->maintain();
  if (allocated() == before) GTEST_SKIP() << "this file system punches no holes";
  EXPECT_LT(allocated(), beside);
  expect_all_readable();
  store_.reset();
  expect_sound();
}

// --- compaction ----------------------------------------------------------------------------------

class Compaction : public SpaceTest {
 protected:
  void make_sparse() {
    options_.max_size = 256 * kMiB;
    open_with_lane();
    add(500);
    deliver_all_but(40);
    store_.reset();  // a kill: nothing was punched
    ASSERT_GT(file_size(), kLarge);
  }
  // By a process of its own, which is killed once it has, at the latest after `limit`: how long
  // that took.
  Duration open_and_kill(Duration limit) {
    int opened[2];
    EXPECT_EQ(::pipe(opened), 0);
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = Store::open(options_, clock_);
      if (::write(opened[1], "", 1) == 1) ::pause();
      ::_exit(1);
    }
    ::pollfd wait{opened[0], POLLIN, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    ::poll(&wait, 1, static_cast<int>(ms));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (const int end : opened) ::close(end);
    return std::chrono::steady_clock::now() - begin;
  }
  static constexpr std::uint64_t kLarge = 80 * kMiB;
};

TEST_F(Compaction, AtStartKeepsEverything) {
  make_sparse();
  open();
  EXPECT_LT(file_size(), 20 * kMiB);
  EXPECT_EQ(lane(lane_).buffered().records, raw_.size());
  expect_all_readable();
  add(5);
  expect_all_readable();
  store_.reset();
  expect_sound();
}

TEST_F(Compaction, RespectsTheFloorOfTheDisk) {
  make_sparse();
  const std::uint64_t before = file_size();
  options_.free_disk_percent = 100;
  open();
  EXPECT_EQ(file_size(), before);
  expect_all_readable();
}

// Whenever it is killed, the old file or the new one is there, whole.
TEST_F(Compaction, IsAtomic) {
  make_sparse();
  const std::string kept = directory_.path() + "/kept.mdb";
  std::filesystem::copy_file(environment(), kept);
  unsigned old_files = 0, new_files = 0;
  const Duration all_of_it = open_and_kill(std::chrono::seconds(60));
  constexpr int kRounds = 30;
  for (int round = 0; round <= kRounds; ++round) {
    std::filesystem::copy_file(kept, environment(),
                               std::filesystem::copy_options::overwrite_existing);
    // Into the check, the copy, the rename; at last behind all of them.
    open_and_kill(round < kRounds ? all_of_it * round / kRounds : std::chrono::seconds(60));
    ++(file_size() > kLarge ? old_files : new_files);
    expect_sound();
    const auto exported = export_buffer(environment(), options_, [](auto...) { return Status{}; });
    ASSERT_TRUE(exported);
    EXPECT_EQ(exported->records, raw_.size());
  }
  EXPECT_GT(old_files, 0u);
  EXPECT_GT(new_files, 0u);
  std::ofstream(environment() + ".compact") << "half a copy";
  open();
  expect_all_readable();
  EXPECT_FALSE(std::filesystem::exists(environment() + ".compact"));
}

// Where the whole disk is for others, that is what the buffer owns, less half of its reserve.
TEST_F(SpaceTest, UsageTellsAWriterAndAReaderWhatTheDiskLeaves) {
  options_.reserve = 4 * kMiB;
  open_with_lane();
  add(4);
  store_.reset();
  options_.free_disk_percent = 100;
  open();
  const StoreUsage usage = store_->usage();
  EXPECT_GT(usage.used, kMiB / 2);
  ASSERT_GT(usage.allocated, usage.used + 2 * kMiB);
  EXPECT_EQ(usage.disk_room, usage.allocated - usage.used - 2 * kMiB);
  EXPECT_EQ(usage.room(), usage.disk_room);
  EXPECT_GT(usage.disk_free, 0u);
  const auto reader = Store::open_read_only(options_, clock_);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->usage().disk_room, usage.disk_room);
}

}  // namespace
}  // namespace edgehose
