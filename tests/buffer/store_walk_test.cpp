// A random walk over the Store beside a model of it: the counter equation, the cursors and the
// records that each lane still has must agree after every step, after every reopening too.
#include <algorithm>
#include <map>
#include <random>

#include "buffer/environment_check.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

// What a lane should be: which records of its source are settled, and how.
struct ModelLane {
  std::uint64_t next_to_claim = 1;
  std::uint64_t delivered = 0, dead = 0, dropped = 0, committed = 0;
};

struct ModelClaim {
  LaneKey lane;
  std::uint64_t records = 0;
};

class StoreWalk : public StoreTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  std::uint64_t random(std::uint64_t below) { return rng_() % below; }

  void start() {
    open();
    for (int i = 0; i < 3; ++i) sources_.push_back(store_->source_id("source" + std::to_string(i)));
    const SinkId a = store_->sink_id("a"), b = store_->sink_id("b"),
                 mixed = store_->sink_id("mixed");
    const auto txn = begin();
    for (const SourceId source : sources_) {
      for (const SinkId sink : {a, b}) {
        ASSERT_TRUE(txn->add_lane({sink, source}, {}));
        model_[{sink, source}] = {};
      }
    }
    ASSERT_TRUE(txn->add_lane({mixed, SourceId(0)}, {}));
    model_[{mixed, SourceId(0)}] = {};
    ASSERT_TRUE(txn->commit());
  }

  void append_some() {
    const SourceId source = sources_[random(sources_.size())];
    const unsigned records = 1 + static_cast<unsigned>(random(random(4) == 0 ? 240 : 60));
    const auto txn = begin();
    const auto info = txn->append(block_of(source, records, random(8) == 0 ? 1000 : 200));
    if (!info) {
      ASSERT_EQ(info.error().code, ErrorCode::kFull) << info.error().message;
      return drop(*txn);
    }
    if (random(10) == 0) return;  // abandoned
    ASSERT_TRUE(txn->commit());
    for (auto& [key, lane] : model_)
      if (key.source.value == 0 || key.source == source) lane.committed += records;
  }

  void drop(Store::Transaction& txn) {
    std::vector<LaneKey> configured;
    if (random(2) == 0) configured.push_back(model_.begin()->first);
    const auto dropped = txn.drop_oldest(200'000, configured, DropScope::kAny);
    ASSERT_TRUE(dropped) << dropped.error().message;
    ASSERT_TRUE(txn.commit());
    for (const LaneState& lane : lanes())  // which lanes: checked by the equation
      model_.at(lane.key).dropped =
          lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records;
  }

  // Where the lane's next claim begins: behind its last one.
  Position claim_from(const LaneState& lane) {
    Position from = lane.cursor;
    for (const Claim& claim : claims())
      if (claim.lane == lane.key) from = std::max(from, claim.end);
    return from;
  }

  void claim_some() {
    const auto all = lanes();
    const LaneState& lane = all[random(all.size())];
    Claim claim;
    claim.lane = lane.key;
    claim.begin = claim_from(lane);
    claim.end = claim.begin;
    const std::uint64_t wanted = 1 + random(4);
    for (std::uint64_t n = 0; n < wanted; ++n) {
      const auto block = *store_->next_block(lane.key.source, claim.end.block);
      if (!block) break;
      const std::uint32_t from = block->number == claim.end.block ? claim.end.record : 0;
      std::uint32_t to = block->records;
      if (n + 1 == wanted && random(3) == 0)
        to = from + 1 + static_cast<std::uint32_t>(random(block->records - from));
      claim.size += size_of(block->number, from, to);
      claim.end = {block->number, to};
      if (to < block->records) break;
      claim.end = {block->number + 1, 0};
    }
    if (claim.size.records == 0) return;
    const auto txn = begin();
    const auto claimed = txn->claim(claim);
    ASSERT_TRUE(claimed) << claimed.error().message;
    ASSERT_TRUE(txn->commit());
  }

  Counter size_of(BlockNumber number, std::uint32_t from, std::uint32_t to) {
    const auto block = store_->read_decoded(number);
    EXPECT_TRUE(block);
    RecordReader reader(*block);
    Record r;
    Counter size;
    for (std::uint32_t i = 0; i < to && reader.next(r); ++i)
      if (i >= from) size += {1, r.body.size() + 1};
    return size;
  }

  void acknowledge_some() {
    std::vector<Claim> open_claims;
    for (const Claim& claim : claims())
      if (!claim.done) open_claims.push_back(claim);
    if (open_claims.empty()) return;
    const Claim& claim = open_claims[random(open_claims.size())];
    Acknowledgement ack{.claim = claim.id, .dead = {}, .unreadable = {}};
    if (random(10) == 0) {
      DeadLetter letter;
      letter.body = "";  // one byte of the claim's, its LF
      ack.dead.push_back(letter);
    } else if (random(10) == 0) {
      ack.unreadable = random(2) == 0 ? claim.size : Counter{1, 1};
    }
    const auto txn = begin();
    const Status settled = txn->acknowledge(ack);
    ASSERT_TRUE(settled) << settled.error().message;
    if (random(3) == 0) {
      ASSERT_TRUE(txn->trim());
    }
    if (random(10) == 0) return;  // abandoned
    ASSERT_TRUE(txn->commit());
    ModelLane& lane = model_.at(claim.lane);
    lane.dead += ack.dead.size();
    lane.delivered += claim.size.records - ack.dead.size() - ack.unreadable.records;
    corrupt_[claim.lane] += ack.unreadable.records;
  }

  // The records that a lane still has to deliver, counted in the blocks themselves.
  std::uint64_t held(const LaneState& lane) {
    std::uint64_t records = 0;
    for (auto b = *store_->next_block(lane.key.source, lane.cursor.block); b;
         b = *store_->next_block(lane.key.source, b->number + 1)) {
      records += b->records;
      if (b->number == lane.cursor.block) records -= lane.cursor.record;
    }
    for (const Claim& claim : claims())
      if (claim.lane == lane.key && claim.done) records -= claim.size.records;
    return records;
  }

  void check() {
    for (const LaneState& lane : lanes()) {
      const ModelLane& model = model_.at(lane.key);
      ASSERT_EQ(lane.committed.records, model.committed);
      ASSERT_EQ(lane.delivered.records, model.delivered);
      ASSERT_EQ(lane.dead_lettered.records, model.dead);
      ASSERT_EQ(lane.dropped[static_cast<std::size_t>(DropReason::kCorrupt)].records,
                corrupt_[lane.key]);
      ASSERT_EQ(lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records,
                model.dropped);
      ASSERT_EQ(lane.buffered().records, held(lane))
          << "sink " << lane.key.sink.value << " source " << lane.key.source.value;
    }
  }

  // Sequences of a source never repeat nor go back, and each block's records are as many as it
  // says.
  void check_order() {
    for (const SourceId source : sources_) {
      std::uint64_t next = 1;
      for (const BlockNumber number : blocks(source)) {
        const auto block = store_->read_decoded(number);
        ASSERT_TRUE(block) << block.error().message;
        ASSERT_GE(block->header.first_sequence.value, next);
        next = block->header.end_sequence().value;
        RecordReader reader(*block);
        Record r;
        std::uint32_t records = 0;
        while (reader.next(r)) ++records;
        ASSERT_TRUE(reader.ok());
        ASSERT_EQ(records, block->header.records);
      }
    }
  }

  std::mt19937_64 rng_{GetParam()};
  std::vector<SourceId> sources_;
  std::map<LaneKey, ModelLane> model_;
  std::map<LaneKey, std::uint64_t> corrupt_;
};

TEST_P(StoreWalk, TheEquationHoldsAtEveryStep) {
  options_.max_size = 1 << 20;
  options_.dead_letter_quota = 1 << 20;
  start();
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    const std::uint64_t what = random(100);
    if (what < 45) {
      append_some();
    } else if (what < 70) {
      claim_some();
    } else if (what < 98) {
      acknowledge_some();
    } else if (what == 98) {
      const auto txn = begin();
      drop(*txn);
    } else {
      if (random(2) == 0) {
        ASSERT_TRUE(store_->close());
      }
      open();
      check_order();
    }
    if (HasFatalFailure()) return;
    check();
    if (HasFatalFailure()) FAIL() << "step " << step;
  }
  check_order();
  const auto checked = check_environment(environment(), options_);
  ASSERT_TRUE(checked);
  EXPECT_TRUE(checked->sound) << checked->reason;
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreWalk, ::testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace edgehose
