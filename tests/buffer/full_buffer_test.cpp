// A full buffer after each kind of stop, cycles of filling and draining, readers that died.
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "buffer/keyspace.h"
#include "buffer/lmdb.h"

#include "tests/buffer/space_fixture.h"

namespace edgehose {
namespace {

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
