// The buffer and the room it has: the map, the disk given back, the floor and its reserve, cycles
// of filling and draining, readers that died.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/verify.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A block that hardly compresses; the same for the same seed.
RawBlock noise(SourceId source, std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string body;
  body.reserve(bytes + 8);
  while (body.size() < bytes)
    for (std::uint64_t bits = random(), i = 0; i < 8; ++i, bits >>= 6)
      body += static_cast<char>('0' + (bits & 63));
  body.resize(bytes);
  BlockBuilder builder(source);
  NewRecord r;
  r.body = body;
  builder.append(r);
  return builder.take();
}

class SpaceTest : public StoreTest {
 protected:
  void SetUp() override { log::set_level(log::Level::kOff); }
  void TearDown() override {
    store_.reset();
    log::set_level(log::Level::kInfo);
  }
  void open_with_lane() {
    open();
    source_ = store_->source_id("app");
    lane_ = {store_->sink_id("out"), source_};
    add_lane(lane_, {BlockNumber(1), 0});
  }
  // Appends until the buffer is full; what it said then.
  Error fill(std::size_t bytes = 250'000) {
    for (;;) {
      const auto txn = begin();
      const auto info = txn->append(noise(source_, bytes, ++seed_));
      EXPECT_TRUE(txn->commit());
      if (!info) return info.error();
      raw_[info->number] = seed_;
    }
  }
  void add(unsigned blocks_to_add, std::size_t bytes = 250'000) {
    for (unsigned i = 0; i < blocks_to_add; ++i) {
      const BlockInfo info = append(noise(source_, bytes, ++seed_));
      raw_[info.number] = seed_;
    }
  }
  // Everything up to a block: claimed, acknowledged, trimmed.
  void deliver(BlockNumber to) {
    acknowledge(claim_blocks(lane_, lane(lane_).cursor.block, to).id);
    for (unsigned trimmed = 1; trimmed > 0;) {
      const auto txn = begin();
      trimmed = *txn->trim();
      ASSERT_TRUE(txn->commit());
    }
    raw_.erase(raw_.begin(), raw_.lower_bound(to));
  }
  void deliver_all_but(std::uint64_t kept) {
    deliver(BlockNumber(store_->end_block().value - kept));
  }
  void expect_all_readable(std::size_t bytes = 250'000) {
    EXPECT_EQ(blocks().size(), raw_.size());
    for (const auto& [number, seed] : raw_) {
      const auto block = store_->read_decoded(number);
      ASSERT_TRUE(block) << block.error().message;
      ASSERT_EQ(block->bodies, noise(source_, bytes, seed).bodies);
    }
  }
  void expect_sound() {
    const auto verified = verify_buffer(environment(), options_);
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->found, 0u) << testing::PrintToString(verified->findings);
  }
  std::uint64_t allocated() const {
    struct stat st {};
    EXPECT_EQ(::stat(environment().c_str(), &st), 0);
    return static_cast<std::uint64_t>(st.st_blocks) * 512;
  }
  std::uint64_t file_size() const { return std::filesystem::file_size(environment()); }

  SourceId source_;
  LaneKey lane_;
  std::uint64_t seed_ = 0;
  std::map<BlockNumber, std::uint64_t> raw_;  // held blocks and their seeds
};

// The exit status of what runs in a child; a failed expectation there is status 1.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

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
  for (int round = 0; round < 30; ++round) {
    std::filesystem::copy_file(kept, environment(),
                               std::filesystem::copy_options::overwrite_existing);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = Store::open(options_, clock_);
      ::pause();
    }
    ::usleep(static_cast<useconds_t>(round * 3000));  // into the check, the copy, the rename
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
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

// --- a disk of its own ---------------------------------------------------------------------------

// ext4 on a loop device, 128 MiB, with data_dir and a ballast file on it.
class SmallDisk : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts a file system";
    mount_ = directory_.path() + "/disk";
    std::filesystem::create_directory(mount_);
    const std::string image = directory_.path() + "/image";
    std::ofstream(image).close();
    std::filesystem::resize_file(image, 128 * kMiB);
    const std::string make = "mkfs.ext4 -q -m 0 " + image + " >/dev/null 2>&1 && mount -o loop " +
                             image + " " + mount_ + " 2>/dev/null";
    mounted_ = std::system(make.c_str()) == 0;
    if (!mounted_) GTEST_SKIP() << "cannot mount a loop device here";
    options_.directory = mount_ + "/data";
    options_.max_size = 512 * kMiB;
    options_.reserve = 16 * kMiB;
    options_.free_disk_percent = 20;
  }
  void TearDown() override {
    SpaceTest::TearDown();
    if (mounted_) ::umount2(mount_.c_str(), MNT_DETACH);
  }
  std::uint64_t free_bytes() const {
    struct statvfs fs {};
    ::statvfs(mount_.c_str(), &fs);
    return std::uint64_t{fs.f_bavail} * fs.f_frsize;
  }
  // Somebody else's file, until `free` bytes are left.
  void fill_disk(std::uint64_t free) {
    std::ofstream ballast(mount_ + "/ballast", std::ios::binary | std::ios::app);
    const std::string chunk(256 << 10, 'b');
    while (ballast && free_bytes() > free) ballast << chunk << std::flush;
    ::sync();
  }
  std::string mount_;
  bool mounted_ = false;
};

TEST_F(SmallDisk, TheFloorStopsIntakeAndRoomBringsItBack) {
  open_with_lane();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  EXPECT_GT(free_bytes(), 18 * kMiB) << "a fifth is left free, but for the reserve";
  EXPECT_GT(raw_.size(), 200u);
  expect_all_readable();
  deliver(BlockNumber(100));
  add(20);  // into pages that the file owns
  fill_disk(0);
  deliver(BlockNumber(200));
  expect_all_readable();
  EXPECT_EQ(fill().code, ErrorCode::kFull);
  std::filesystem::remove(mount_ + "/ballast");
  deliver(store_->end_block());
  add(20);
  expect_all_readable();
}

// Nothing is left by others: acknowledgements, trims and a slow intake live off the reserve.
TEST_F(SmallDisk, BelowTheFloorAtInstallationTheReserveKeepsItGoing) {
  fill_disk(22 * kMiB);
  open_with_lane();
  EXPECT_GE(allocated(), 16 * kMiB) << "set aside at once";
  fill_disk(0);
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    EXPECT_GT(raw_.size(), 10u) << "half of the reserve, round " << round;
    expect_all_readable();
    deliver(store_->end_block());
  }
  EXPECT_TRUE(blocks().empty());
  std::filesystem::remove(mount_ + "/ballast");
  add(100);
  expect_all_readable();
}

// --- a full buffer after an unclean stop
// ------------------------------------------------------------

// The promise of a 4 GB buffer, small and without its times: tests/bench/bench_recovery measures
// them.
class FullBuffer : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    options_.max_size = 24 * kMiB;
    open_with_lane();
    EXPECT_EQ(fill().code, ErrorCode::kFull);
    store_->maintain();  // the copies outside
    store_.reset();      // without close()
    held_ = raw_.size();
  }
  void overwrite(std::uint64_t page) {
    std::fstream file(environment(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(page * lmdb::kPageBytes));
    file << std::string(lmdb::kPageBytes, '\0');
  }
  // Opens with 64 descriptors, takes records in, hands out all that is held; how many blocks of
  // before.
  std::uint64_t drain() {
    std::uint64_t delivered = 0;
    const int status = in_child([&] {
      const rlimit few{64, 64};
      ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
      open();
      deliver(BlockNumber(lane(lane_).cursor.block.value + 4));
      append(noise(source_, 1000, 0));
      for (const BlockNumber number : blocks()) EXPECT_TRUE(store_->read_decoded(number));
      deliver(store_->end_block());
      EXPECT_TRUE(blocks().empty());
      EXPECT_EQ(lane(lane_).buffered(), Counter{});
      ASSERT_TRUE(store_->close());
    });
    EXPECT_EQ(status, 0);
    open();
    delivered = lane(lane_).delivered.records - 1;
    EXPECT_TRUE(blocks().empty());
    store_.reset();
    expect_sound();
    return delivered;
  }
  std::uint64_t held_ = 0;
};

TEST_F(FullBuffer, DrainsToZero) { EXPECT_EQ(drain(), held_); }

TEST_F(FullBuffer, DrainsToZeroWithPagesZeroed) {
  std::mt19937_64 random(2);
  const std::uint64_t pages = file_size() / lmdb::kPageBytes;
  for (int i = 0; i < 10; ++i) overwrite(2 + random() % (pages - 2));
  EXPECT_GE(drain(), held_ - 10);
}

TEST_F(FullBuffer, DrainsToZeroCutShort) {
  std::filesystem::resize_file(environment(), file_size() / 20 * 19);
  EXPECT_GE(drain(), held_ / 10 * 9);
}

TEST_F(FullBuffer, DrainsToZeroWithoutItsMetaPages) {
  overwrite(0);
  overwrite(1);
  EXPECT_EQ(drain(), held_);
}

// --- cycles --------------------------------------------------------------------------------------

// The file finds its size, which takes some of the fills to the limit (how full and how scattered
// the pages are then is chance), and keeps it. EDGEHOSE_CYCLES=100000 for longer.
TEST_F(SpaceTest, FillAndDrainCyclesNeverWedge) {
  const char* const asked = std::getenv("EDGEHOSE_CYCLES");
  const unsigned cycles = asked != nullptr ? static_cast<unsigned>(std::atoi(asked)) : 4000;
  options_.max_size = 8 * kMiB;
  open_with_lane();
  std::mt19937_64 random(3);
  std::uint64_t settled = 0, floor = 0;
  for (unsigned cycle = 0; cycle < cycles; ++cycle) {
    const bool to_the_limit = cycle % 100 == 50;
    const std::uint64_t appends = to_the_limit ? 1000 : 1 + random() % 6;
    {
      const auto txn = begin();
      for (std::uint64_t i = 0; i < appends; ++i) {
        const auto info = txn->append(noise(source_, 100 + random() % 60'000, ++seed_));
        if (info) continue;
        ASSERT_EQ(info.error().code, ErrorCode::kFull);
        ASSERT_TRUE(to_the_limit) << info.error().message;
        ASSERT_THAT(info.error().message, testing::HasSubstr("buffer.max_size"));  // not MAP_FULL
        break;
      }
      ASSERT_TRUE(txn->commit());
    }
    const auto claimed = claim_blocks(lane_, lane(lane_).cursor.block, store_->end_block());
    const auto txn = begin();
    ASSERT_TRUE(txn->acknowledge({.claim = claimed.id, .dead = {}, .unreadable = {}}));
    ASSERT_TRUE(txn->trim());
    ASSERT_TRUE(txn->commit());
    if (cycle == cycles / 2) settled = file_size();
    if (cycle % 100 == 99) {
      floor = std::max(floor, store_->usage().used);
      if (cycle % 1000 == 999) open();  // as after a kill
    }
  }
  EXPECT_LE(file_size(), settled + kMiB) << "the file grows";
  EXPECT_LE(file_size(), lmdb::map_size_for(options_.max_size));
  EXPECT_LE(floor, 1500u << 10) << "used pages do not come back to the floor";
  EXPECT_EQ(lane(lane_).buffered().records, 0u);
  store_.reset();
  const auto env = lmdb::Environment::open(environment(), 64 << 20, true);
  const auto txn = env->begin_read();
  auto free_list = lmdb::Cursor::open_free_list(*txn);
  unsigned entries = 0;
  for (auto e = free_list->first(); *e; e = free_list->next()) ++entries;
  EXPECT_LT(entries, 500u);
  expect_sound();
}

// --- readers that died ---------------------------------------------------------------------------

TEST_F(SpaceTest, AThousandProcessesKilledWhileReadingPinNothing) {
  options_.max_size = 16 * kMiB;
  open_with_lane();
  add(10, 70'000);
  const std::uint64_t map = lmdb::map_size_for(options_.max_size);
  for (int n = 0; n < 1000; ++n) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto env = lmdb::Environment::open(environment(), map, true);
      const auto txn = env ? env->begin_read() : tl::unexpected(env.error());
      (void)!::write(ready[1], txn ? "r" : "f", 1);
      ::pause();
    }
    ::close(ready[1]);
    char c = 0;
    ASSERT_EQ(::read(ready[0], &c, 1), 1);
    ::close(ready[0]);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_EQ(c, 'r') << "reader " << n << " was refused";
    if (n % 10 != 0) continue;
    add(30, 70'000);
    deliver_all_but(5);
  }
  expect_all_readable(70'000);
  EXPECT_LT(file_size(), 8 * kMiB) << "pages that nobody reads were not reused";
  EXPECT_EQ(in_child([&] {
              const auto reader = Store::open_read_only(options_, clock_);
              EXPECT_TRUE(reader) << reader.error().message;
            }),
            0);
  open();
  expect_all_readable(70'000);
}

}  // namespace
}  // namespace edgehose
