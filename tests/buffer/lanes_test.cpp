// Claims, acknowledgements, dead letters, sources that are forgotten.

#include <fstream>

#include "agent/base/file.h"
#include "tests/buffer/minis_fixture.h"

namespace edgehose {
namespace {

TEST_F(Minis, OutOfOrderAcknowledgementsWaitForTheFirst) {
  for (int i = 0; i < 3; ++i) append(block_of(source_, 250, 1023));
  const Claim a = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  const Claim b = claim_blocks(key_, BlockNumber(2), BlockNumber(3));
  const Claim c = claim_blocks(key_, BlockNumber(3), BlockNumber(4));
  acknowledge(c.id);
  acknowledge(b.id);
  EXPECT_EQ(lane(key_).cursor, Position{});
  EXPECT_EQ(lane(key_).delivered.records, 500u);
  open();
  EXPECT_EQ(store_->claims()->size(), 3u);
  acknowledge(a.id);
  EXPECT_EQ(lane(key_).cursor, (Position{BlockNumber(4), 0}));
  EXPECT_EQ(lane(key_).buffered(), Counter{});
  EXPECT_TRUE(store_->claims()->empty());
}

TEST_F(Minis, ClaimsMustNotOverlapNorBeSettledTwice) {
  append(block_of(source_, 10));
  const Claim a = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  const auto txn = begin();
  EXPECT_EQ(txn->claim(a).error().code, ErrorCode::kInvalid);
  ASSERT_TRUE(txn->acknowledge({.claim = a.id, .dead = {}, .unreadable = {}}));
  EXPECT_EQ(txn->acknowledge({.claim = a.id, .dead = {}, .unreadable = {}}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(txn->claim(a).error().code, ErrorCode::kInvalid);  // before the cursor
}

TEST_F(Minis, RecutCoversTheSameRecords) {
  append(block_of(source_, 10));
  const Claim whole = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  Claim head = whole, tail = whole;
  head.end = tail.begin = {BlockNumber(1), 4};
  head.size = {4, 4 * 21};
  tail.size = {6, 6 * 21};
  const auto txn = begin();
  EXPECT_EQ(txn->recut(whole.id, {head}, 0).error().code, ErrorCode::kInvalid);
  const auto parts = txn->recut(whole.id, {head, tail}, 0);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_TRUE(txn->acknowledge({.claim = (*parts)[0].id, .dead = {}, .unreadable = {}}));
  ASSERT_TRUE(txn->commit());
  EXPECT_EQ(lane(key_).cursor, (Position{BlockNumber(1), 4}));
  EXPECT_EQ(lane(key_).buffered(), (Counter{6, 126}));
}

TEST_F(Minis, AnUploadIsKnownAfterARestartAndNotOfWhatIsCutAnew) {
  append(block_of(source_, 10));
  const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  const PartialUpload upload{"an id", 5 << 20, {{"tag", 7}}};
  const auto put = [&](ClaimId id, PartialUpload how) {
    const auto txn = begin();
    const Status kept = txn->put_upload(id, std::move(how));
    return kept ? txn->commit() : kept;
  };
  ASSERT_TRUE(put(claim.id, upload));
  open();
  EXPECT_EQ(store_->claims()->at(0).upload, upload);
  EXPECT_EQ(put(claim.id + 1, upload).error().code, ErrorCode::kNotFound);
  PartialUpload many = upload;
  many.parts.resize(kMaxUploadParts + 1);
  EXPECT_EQ(put(claim.id, many).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(put(claim.id, {std::string(kMaxUploadId + 1, 'x'), 1, {}}).error().code,
            ErrorCode::kInvalid);
  const auto txn = begin();
  const auto again = txn->recut(claim.id, {store_->claims()->at(0)}, 0);
  ASSERT_TRUE(again);
  ASSERT_TRUE(txn->commit());
  EXPECT_FALSE(store_->claims()->at(0).upload);
}

TEST_F(Minis, ADamagedDeadLetterIsNamedAndTheOthersAreGiven) {
  open();
  append(block_of(source_, 10));
  const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  std::vector<DeadLetter> letters(3);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    letters[i].sequence = Sequence(i + 1);
    letters[i].body = fmt::format("the body of {}", i + 1);
  }
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->acknowledge({.claim = claim.id, .dead = letters, .unreadable = {}}));
    ASSERT_TRUE(txn->commit());
  }
  // Under the open store, as a card does it: a start would salvage.
  const std::string path = options_.directory + "/buffer.mdb";
  std::string content = read_file(path, 64 << 20).value();
  std::size_t copies = 0;  // old pages hold it too
  for (std::size_t at; (at = content.find("the body of 2")) != std::string::npos; ++copies)
    content[at] ^= 1;
  ASSERT_GT(copies, 0u);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << content;
  std::vector<std::uint64_t> given;
  const auto damaged = store_->for_each_dead_letter([&](const DeadLetter& d) {
    given.push_back(d.id);
    return true;
  });
  ASSERT_TRUE(damaged) << damaged.error().message;
  EXPECT_EQ(given, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(*damaged, (std::vector<std::uint64_t>{2}));
  const auto txn = begin();
  EXPECT_TRUE(txn->erase_dead_letter(2)) << "it can be purged by its number";
}

TEST_F(Minis, DeadLettersHaveAQuota) {
  options_.dead_letter_quota = 600;
  open();
  append(block_of(source_, 10));
  const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(2));
  DeadLetter letter;
  letter.sequence = Sequence(1);
  letter.reason = "mapper_parsing_exception";
  letter.body = std::string(20, 'x');
  {
    const auto txn = begin();
    const std::vector<DeadLetter> many(10, letter);
    EXPECT_EQ(txn->acknowledge({.claim = claim.id, .dead = many, .unreadable = {}}).error().code,
              ErrorCode::kFull);
    ASSERT_TRUE(txn->acknowledge({.claim = claim.id, .dead = {letter}, .unreadable = {}}));
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_EQ(lane(key_).dead_lettered, (Counter{1, 21}));
  EXPECT_EQ(lane(key_).delivered, (Counter{9, 9 * 21}));
  open();
  EXPECT_EQ(store_->usage().dead_letters, 1u);
  std::vector<DeadLetter> found;
  ASSERT_TRUE(store_->for_each_dead_letter([&](const DeadLetter& d) {
    found.push_back(d);
    return true;
  }));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].reason, letter.reason);
  EXPECT_EQ(found[0].lane, key_);
  const auto txn = begin();
  EXPECT_TRUE(txn->erase_dead_letter(found[0].id));
  EXPECT_EQ(txn->erase_dead_letter(found[0].id).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(txn->commit());
  EXPECT_EQ(store_->usage().dead_letter_bytes, 0u);
}

TEST_F(Minis, SequencesOfAForgottenSourceAreNeverGivenAgain) {
  append(block_of(source_, 50));
  for (int round = 0; round < 2; ++round) {
    {
      const auto txn = begin();
      ASSERT_TRUE(txn->forget_source(source_));
      ASSERT_TRUE(txn->commit());
    }
    open();  // it is in the file, not in memory
    source_ = store_->source_id("app");
    EXPECT_EQ(append(block_of(source_, 50)).first, Sequence(round == 0 ? 51 : 101));
  }
  const SourceId other = store_->source_id("other");
  EXPECT_GE(append(block_of(other, 1)).first, Sequence(101));
}

TEST_F(Minis, ASourceIsForgottenWithItsBlocks) {
  const SourceId other = store_->source_id("other");
  const LaneKey mixed{store_->sink_id("mixed"), SourceId(0)};
  append(block_of(source_, 10));
  append(block_of(other, 5));
  add_lane(mixed);
  EXPECT_EQ(lane(mixed).committed.records, 15u);
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->forget_source(source_));
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_EQ(store_->lanes()->size(), 1u);
  EXPECT_EQ(lane(mixed).buffered().records, 5u);
  EXPECT_EQ(lane(mixed).dropped[static_cast<std::size_t>(DropReason::kForgotten)].records, 10u);
  EXPECT_NE(store_->source_id("app"), source_);
}

// One lane's records go; the other's, and what comes later, do not.
TEST_F(Minis, ABacklogIsDroppedOfOneLane) {
  const LaneKey other{store_->sink_id("other"), source_};
  add_lane(other);
  for (int i = 0; i < 3; ++i) append(block_of(source_, 250, 1023));
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(2)).id);
  claim_blocks(key_, BlockNumber(2), BlockNumber(3));
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->drop_backlog(key_));
    EXPECT_EQ(txn->drop_backlog({SinkId(9), source_}).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(txn->forget_lane({SinkId(9), source_}).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(txn->commit());
  }
  append(block_of(source_, 250, 1023));
  open();
  EXPECT_TRUE(claims().empty());
  EXPECT_EQ(lane(key_).delivered.records, 250u);
  EXPECT_EQ(lane(key_).dropped[static_cast<std::size_t>(DropReason::kForgotten)].records, 500u);
  EXPECT_EQ(lane(key_).buffered().records, 250u);
  EXPECT_EQ(lane(key_).cursor, (Position{BlockNumber(4), 0}));
  EXPECT_EQ(lane(other).buffered().records, 1000u);
}

}  // namespace
}  // namespace edgehose
