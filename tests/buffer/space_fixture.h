// A store that is filled with blocks that do not compress, and delivered from.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <string>

#include "agent/base/log.h"
#include "buffer/verify.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {

constexpr std::uint64_t kMiB = 1 << 20;

// A megabyte of digits, letters and signs in no order.
inline const std::string& disorder() {
  static const std::string made = [] {
    std::mt19937_64 random(1);
    std::string bytes(kMiB, '\0');
    for (char& byte : bytes) byte = static_cast<char>('0' + (random() & 63));
    return bytes;
  }();
  return made;
}

// A block that hardly compresses; the same for the same seed.
inline RawBlock noise(SourceId source, std::size_t bytes, std::uint64_t seed) {
  std::string body = std::to_string(seed) + " ";
  for (std::size_t from = seed * 7919 % kMiB; body.size() < bytes; from = 0)
    body.append(disorder(), from, bytes - body.size());
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

}  // namespace edgehose
