// What the store's tests share: a temporary data_dir, a store in it, blocks to put into it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "agent/base/clock.h"
#include "buffer/store.h"

namespace edgehose {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    // In memory where there is such a place: thousands of commits, each with its flush.
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string name = std::string(memory ? "/dev/shm" : "/tmp") + "/edgehose-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline RawBlock block_of(SourceId source, unsigned records, std::size_t length = 20,
                         char fill = 'x') {
  BlockBuilder builder(source);
  for (unsigned i = 0; i < records; ++i) {
    std::string body = std::to_string(i) + " ";
    body.resize(length, fill);
    NewRecord r;
    r.body = body;
    r.time = WallTime(1'700'000'000'000'000'000 + i);
    r.file = FileId(1);
    r.begin = i * (length + 1);
    r.end = r.begin + length + 1;
    builder.append(r);
  }
  return builder.take();
}

// One record of 250,000 bytes that hardly compresses; the same for the same seed.
inline RawBlock dense(SourceId source, unsigned seed) {
  std::string body(250'000, '\0');
  std::uint64_t x = seed * 2654435761u + 1;
  for (char& c : body) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>('!' + (x >> 33) % 90);
  }
  BlockBuilder builder(source);
  NewRecord r;
  r.body = body;
  builder.append(r);
  return builder.take();
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    options_.directory = directory_.path() + "/data";
    options_.max_size = 64ull << 20;
    options_.free_disk_percent = 0;
  }

  void open() {
    store_.reset();
    auto opened = Store::open(options_, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  std::unique_ptr<Store::Transaction> begin() {
    auto txn = store_->begin();
    EXPECT_TRUE(txn) << txn.error().message;
    return std::move(*txn);
  }
  BlockInfo append(const RawBlock& block) {
    const auto txn = begin();
    const auto info = txn->append(block);
    EXPECT_TRUE(info) << info.error().message;
    EXPECT_TRUE(txn->commit());
    return info.value_or(BlockInfo{});
  }
  void add_lane(LaneKey key, Position start = {}) {
    const auto txn = begin();
    EXPECT_TRUE(txn->add_lane(key, start));
    EXPECT_TRUE(txn->commit());
  }
  // A claim over whole blocks [from, to).
  Claim claim_blocks(LaneKey lane, BlockNumber from, BlockNumber to) {
    Claim c;
    c.lane = lane;
    c.begin = {from, 0};
    c.end = {to, 0};
    for (BlockNumber b = from; b < to;) {
      const auto info = *store_->next_block(lane.source, b);
      if (!info || info->number >= to) break;
      c.size += {info->records, info->body_raw};
      b = info->number + 1;
    }
    c.key = "key";
    const auto txn = begin();
    const auto claimed = txn->claim(c);
    EXPECT_TRUE(claimed) << claimed.error().message;
    EXPECT_TRUE(txn->commit());
    return claimed.value_or(Claim{});
  }
  void acknowledge(ClaimId claim) {
    const auto txn = begin();
    const Status acknowledged = txn->acknowledge({.claim = claim, .dead = {}, .unreadable = {}});
    EXPECT_TRUE(acknowledged) << acknowledged.error().message;
    EXPECT_TRUE(txn->commit());
  }
  std::vector<LaneState> lanes() { return *store_->lanes(); }
  std::vector<Claim> claims() { return *store_->claims(); }
  LaneState lane(LaneKey key) {
    for (const LaneState& state : lanes())
      if (state.key == key) return state;
    ADD_FAILURE() << "no such lane";
    return {};
  }
  std::vector<BlockNumber> blocks(SourceId source = SourceId(0)) {
    std::vector<BlockNumber> numbers;
    for (auto b = *store_->next_block(source, BlockNumber(0)); b;
         b = *store_->next_block(source, b->number + 1))
      numbers.push_back(b->number);
    return numbers;
  }
  std::string environment() const { return options_.directory + "/buffer.mdb"; }

  TemporaryDirectory directory_;
  ManualClock clock_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

}  // namespace edgehose
