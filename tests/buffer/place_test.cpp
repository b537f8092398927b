// The paths in data_dir while the store is open: deleted, moved, replaced.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/base/log.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

// Of the owner of data_dir, while root runs the agent.
TEST_F(StoreTest, IsNotOpenedThroughASymlinkOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: only root makes links of others";
  open();
  ASSERT_TRUE(store_->close());
  store_.reset();
  const std::string victim = directory_.path() + "/victim";
  for (const char* name : {"/buffer.mdb-lock", "/buffer.mdb", "/lock", "/buffer.copy"}) {
    const std::string link = options_.directory + name;
    std::filesystem::remove(victim);
    std::ofstream(victim) << "kept";
    if (std::filesystem::exists(link)) std::filesystem::rename(link, link + ".kept");
    std::filesystem::create_symlink(victim, link);
    ASSERT_EQ(::lchown(link.c_str(), 12345, 12345), 0);
    const auto opened = Store::open(options_, clock_);
    EXPECT_EQ(std::filesystem::file_size(victim), 4u) << name;
    if (!opened) {
      EXPECT_NE(opened.error().message.find("symlink"), std::string::npos)
          << opened.error().message;
    }
    std::filesystem::remove(link);
    if (std::filesystem::exists(link + ".kept")) std::filesystem::rename(link + ".kept", link);
  }
  open();
}

TEST_F(StoreTest, HoldsItsPlace) {
  open();
  append(block_of(store_->source_id("app"), 3));
  const auto held = store_->hold_place();
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_FALSE(*held);
}

TEST_F(StoreTest, PutsADeletedBufferBackAndGoesOnInIt) {
  open();
  const SourceId source = store_->source_id("app");
  const RawBlock raw = block_of(source, 5);
  append(raw);
  const Epoch epoch = store_->epoch();
  std::filesystem::remove(options_.directory + "/buffer.mdb");
  const auto put_back = store_->hold_place();
  ASSERT_TRUE(put_back) << put_back.error().message;
  EXPECT_TRUE(*put_back);
  EXPECT_FALSE(*store_->hold_place());
  EXPECT_EQ(store_->read_decoded(BlockNumber(1))->bodies, raw.bodies);
  EXPECT_EQ(append(block_of(source, 2)).first, Sequence(6));
  ASSERT_TRUE(store_->close());
  open();
  EXPECT_EQ(store_->epoch(), epoch);
  EXPECT_EQ(append(block_of(source, 1)).first, Sequence(8));
}

TEST_F(StoreTest, PutsADeletedDirectoryBackAndHoldsItsLock) {
  open();
  append(block_of(store_->source_id("app"), 5));
  std::filesystem::remove_all(options_.directory);
  ASSERT_TRUE(store_->hold_place().value_or(false));
  EXPECT_EQ(Store::open(options_, clock_).error().code, ErrorCode::kBusy);
  EXPECT_EQ(append(block_of(store_->source_id("app"), 1)).first, Sequence(6));
}

TEST_F(StoreTest, ADeletedLockIsTakenAgain) {
  open();
  std::filesystem::remove(options_.directory + "/lock");
  ASSERT_TRUE(store_->hold_place().value_or(false));
  EXPECT_EQ(Store::open(options_, clock_).error().code, ErrorCode::kBusy);
}

// Before it is taken again, too: the directory itself is locked.
TEST_F(StoreTest, ADeletedLockLetsNoSecondAgentIn) {
  open();
  std::filesystem::remove(options_.directory + "/lock");
  const auto second = Store::open(options_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/lock")) << "nothing was touched";
}

// The copy is in place and cannot be opened: it is not held until it is.
TEST_F(StoreTest, APuttingBackThatEndsHalfWayIsToldUntilItIsMadeGood) {
  log::set_level(log::Level::kOff);
  open();
  append(block_of(store_->source_id("app"), 5));
  const std::string lock = options_.directory + "/buffer.mdb-lock";
  std::filesystem::remove(options_.directory + "/buffer.mdb");
  std::filesystem::remove(lock);
  std::filesystem::create_directories(lock + "/in the way");
  EXPECT_FALSE(store_->hold_place());
  EXPECT_FALSE(store_->hold_place()) << "not held";
  std::filesystem::remove_all(lock);
  EXPECT_TRUE(store_->hold_place());
  EXPECT_EQ(append(block_of(store_->source_id("app"), 1)).first, Sequence(6));
  log::set_level(log::Level::kInfo);
}

TEST_F(StoreTest, LeavesAnotherFileInItsPlaceAlone) {
  open();
  append(block_of(store_->source_id("app"), 5));
  std::filesystem::remove(options_.directory + "/buffer.mdb");
  std::ofstream(options_.directory + "/buffer.mdb") << "a backup";
  const auto held = store_->hold_place();
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, ErrorCode::kBusy);
  EXPECT_NE(held.error().message.find("restart"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(options_.directory + "/buffer.mdb"), 8u);
}

// That the two do not race is ThreadSanitizer's to see.
TEST_F(StoreTest, TellsItsUsageWhileItIsPutBack) {
  open();
  append(block_of(store_->source_id("app"), 5));
  std::atomic<bool> stop{false};
  std::atomic<unsigned> asked{0};
  std::thread asker([&] {
    for (; !stop; ++asked) EXPECT_EQ(store_->usage().limit, options_.max_size);
  });
  while (asked == 0) std::this_thread::yield();
  std::filesystem::remove(options_.directory + "/buffer.mdb");
  EXPECT_TRUE(store_->hold_place().value_or(false));
  stop = true;
  asker.join();
}

TEST_F(StoreTest, WaitsForAMovedOne) {
  open();
  std::filesystem::rename(options_.directory + "/buffer.mdb", options_.directory + "/away");
  EXPECT_EQ(store_->hold_place().error().code, ErrorCode::kNotFound);
  std::filesystem::rename(options_.directory + "/away", options_.directory + "/buffer.mdb");
  EXPECT_FALSE(store_->hold_place().value_or(true));
}

}  // namespace
}  // namespace edgehose
