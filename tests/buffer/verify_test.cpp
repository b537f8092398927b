#include "buffer/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "buffer/block_header.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Verify : public StoreTest {
 protected:
  void make() {
    open();
    app_ = store_->source_id("app");
    lane_ = {store_->sink_id("archive"), app_};
    add_lane(lane_, {BlockNumber(1), 0});
    for (int i = 0; i < 5; ++i) numbers_.push_back(append(block_of(app_, 50, 200)).number);
    const Claim first = claim_blocks(lane_, numbers_[0], numbers_[1]);
    acknowledge(first.id);
    claim_blocks(lane_, numbers_[1], numbers_[3]);
    store_.reset();
  }

  VerifyReport verify() {
    auto report = verify_buffer(environment(), options_);
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(VerifyReport{});
  }

  // Changes one value behind the store's back.
  template <class Change>
  void tamper(const std::string& key, Change change) {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    ASSERT_TRUE(env);
    auto txn = env->begin_write();
    const auto found = txn->get(key);
    ASSERT_TRUE(found && *found);
    std::string value(**found);
    change(value);
    ASSERT_TRUE(txn->put(key, value));
    ASSERT_TRUE(txn->commit());
  }
  std::string block_key(std::size_t i) const { return keyspace::block_key(numbers_[i], app_); }

  SourceId app_;
  LaneKey lane_;
  std::vector<BlockNumber> numbers_;
};

TEST_F(Verify, ASoundBufferHasNoFindings) {
  make();
  const VerifyReport report = verify();
  EXPECT_TRUE(report.sound()) << testing::PrintToString(report.findings);
  EXPECT_EQ(report.sources, 1u);
  EXPECT_EQ(report.lanes, 1u);
  EXPECT_EQ(report.claims, 1u);
  EXPECT_GE(report.records, 200u);
  EXPECT_EQ(report.sequence_gaps, 0u);
}

// As where one batch is refused for a while and the next is not.
TEST_F(Verify, AClaimDoneBeforeAnEarlierOneIsCountedOnce) {
  make();
  open();
  const Claim later = claim_blocks(lane_, numbers_[3], numbers_[4]);
  acknowledge(later.id);
  ASSERT_EQ(claims().size(), 2u) << "it waits";
  store_.reset();
  EXPECT_THAT(verify().findings, testing::IsEmpty());
}

TEST_F(Verify, AFlippedBitInABlockIsFound) {
  make();
  tamper(block_key(3), [](std::string& v) { v.back() = static_cast<char>(v.back() ^ 1); });
  EXPECT_THAT(verify().findings, Contains(HasSubstr("fails its checksum")));
}

TEST_F(Verify, ATruncatedFileIsAnErrorForEveryReader) {
  make();
  ASSERT_EQ(::truncate(environment().c_str(), 8192), 0);
  EXPECT_EQ(verify_buffer(environment(), options_).error().code, ErrorCode::kCorrupt);
  const auto store = Store::open_read_only(options_, clock_);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("start the agent, it salvages"));
}

TEST_F(Verify, SwappedBlocksAreFound) {
  make();
  std::string other;
  tamper(block_key(3), [&](std::string& v) { other = v; });
  tamper(block_key(4), [&](std::string& v) { v = other; });
  EXPECT_THAT(verify().findings, Contains(HasSubstr("lies under the key of")));
  EXPECT_THAT(verify().findings, Contains(HasSubstr("given twice")));
}

TEST_F(Verify, AnEquationThatDoesNotHoldIsFound) {
  make();
  tamper(keyspace::lane_key(lane_), [&](std::string& v) {
    LaneState lane = keyspace::decode_lane(keyspace::lane_key(lane_), v).value();
    lane.delivered.records += 1;
    v = keyspace::encode_lane(lane);
  });
  EXPECT_THAT(verify().findings, Contains(HasSubstr("accounted for")));
}

TEST_F(Verify, AMissingBlockIsFoundByItsClaimAndItsLane) {
  make();
  {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    auto txn = env->begin_write();
    ASSERT_TRUE(*txn->erase(block_key(2)));
    ASSERT_TRUE(txn->commit());
  }
  const VerifyReport report = verify();
  EXPECT_THAT(report.findings, Contains(HasSubstr("of them are held")));
  EXPECT_THAT(report.findings, Contains(HasSubstr("accounted for")));
  EXPECT_EQ(report.sequence_gaps, 1u);
}

TEST_F(Verify, NumbersGivenTwiceAreFound) {
  make();
  tamper(keyspace::counters_key(), [&](std::string& v) {
    keyspace::Counters counters = keyspace::decode_counters(v).value();
    counters.next_block = numbers_.back();
    v = keyspace::encode_counters(counters, keyspace::kFormat);
  });
  EXPECT_THAT(verify().findings, Contains(HasSubstr("was given already")));
}

TEST_F(Verify, SealedBlocksWithoutTheirKeyAreCountedNotAccused) {
  options_.keys = {WrappingKey{"k", {5}}};
  make();
  EXPECT_TRUE(verify().sound());
  EXPECT_EQ(verify().unopened, 0u);
  options_.keys.clear();
  EXPECT_GT(verify().unopened, 0u);
  std::size_t records = 0;
  const auto count = [&](SourceId, const BlockHeader&, const Record&) -> Status {
    ++records;
    return {};
  };
  EXPECT_GT(export_buffer(environment(), options_, count)->unreadable_blocks, 0u);
  EXPECT_EQ(records, 0u);
  options_.keys = {WrappingKey{"k", {5}}};
  EXPECT_EQ(export_buffer(environment(), options_, count)->unreadable_blocks, 0u);
  EXPECT_EQ(records, verify().records);
}

TEST_F(Verify, NoBufferIsSaid) {
  EXPECT_EQ(verify_buffer("/nowhere/buffer.mdb", options_).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace edgehose
