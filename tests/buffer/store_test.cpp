#include "buffer/store.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {
namespace {

TEST_F(StoreTest, GivesBackBlocksAndStateAfterReopening) {
  open();
  const SourceId source = store_->source_id("app");
  EXPECT_EQ(store_->source_id("app"), source);
  const FileId file = store_->new_file_id();
  FileState position;
  position.path = "/var/log/app.log";
  position.offset = 4711;
  position.note = "n";
  const RawBlock raw = block_of(source, 5);
  {
    const auto txn = begin();
    const auto info = txn->append(raw);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->number, BlockNumber(1));
    EXPECT_TRUE(info->mini);
    EXPECT_TRUE((*txn->next_block(source, BlockNumber(0))).has_value());
    EXPECT_FALSE((*store_->next_block(source, BlockNumber(0))).has_value());
    ASSERT_TRUE(txn->put_file(file, position));
    ASSERT_TRUE(txn->commit());
  }
  const Epoch epoch = store_->epoch();
  ASSERT_TRUE(store_->close());
  open();
  EXPECT_EQ(store_->epoch(), epoch);
  EXPECT_EQ(store_->source_id("app"), source);
  EXPECT_EQ(store_->new_file_id(), file + 1);
  EXPECT_EQ((*store_->file(file))->offset, 4711u);
  EXPECT_EQ((*store_->file(file))->path, position.path);
  EXPECT_FALSE(store_->file(FileId(99))->has_value());
  const auto block = store_->read_decoded(BlockNumber(1));
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->bodies, raw.bodies);
  EXPECT_EQ(block->header.epoch, epoch);
  EXPECT_EQ(store_->read(BlockNumber(2)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(append(block_of(source, 1)).first, Sequence(6));
}

TEST_F(StoreTest, AnAbandonedTransactionLeavesNothing) {
  open();
  const SourceId source = store_->source_id("app");
  append(block_of(source, 3));
  add_lane({store_->sink_id("out"), source});
  const auto before = *store_->lanes();
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->append(block_of(source, 3)));
    ASSERT_TRUE(txn->add_lane({SinkId(9), source}, {}));
    ASSERT_TRUE(txn->count_not_taken(source, {1, 2}));
  }
  EXPECT_EQ(store_->lanes()->size(), before.size());
  EXPECT_EQ((*store_->lanes())[0].committed, before[0].committed);
  EXPECT_EQ((*store_->sources())[0].not_taken, Counter{});
  EXPECT_EQ(store_->end_block(), BlockNumber(2));
  EXPECT_EQ(append(block_of(source, 1)).first, Sequence(4));
}

// --- its place -----------------------------------------------------------------------------------

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

// --- minis ---------------------------------------------------------------------------------------

class Minis : public StoreTest {
 protected:
  void SetUp() override {
    open();
    source_ = store_->source_id("app");
    key_ = {store_->sink_id("out"), source_};
    add_lane(key_);
  }
  // 64 KiB raw: the fourth makes a full block.
  RawBlock quarter(char fill = 'x') { return block_of(source_, 64, 1023, fill); }
  std::vector<BlockNumber> numbers(std::initializer_list<std::uint64_t> values) {
    std::vector<BlockNumber> out;
    for (const std::uint64_t v : values) out.push_back(BlockNumber(v));
    return out;
  }
  SourceId source_;
  LaneKey key_;
};

TEST_F(Minis, BecomeOneFullBlockUnderTheLastNumber) {
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    const RawBlock raw = quarter(static_cast<char>('a' + i));
    expected += raw.bodies;
    append(raw);
  }
  EXPECT_EQ(blocks(), numbers({4}));
  const auto block = store_->read_decoded(BlockNumber(4));
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->bodies, expected);
  EXPECT_EQ(block->header.first_sequence, Sequence(1));
  EXPECT_FALSE(block->header.mini());
  RecordReader reader(*block);
  Record r;
  std::uint64_t n = 0;
  while (reader.next(r)) EXPECT_EQ(r.sequence, Sequence(++n));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(n, 256u);
  EXPECT_TRUE((*store_->sources())[0].minis.empty());
}

TEST_F(Minis, AreMergedAfterReopeningToo) {
  for (int i = 0; i < 3; ++i) append(quarter());
  open();  // without close(): as after a kill
  append(quarter());
  EXPECT_EQ(blocks(), numbers({4}));
}

TEST_F(Minis, OfOtherSourcesBetweenThemDoNotMatter) {
  const SourceId other = store_->source_id("other");
  for (int i = 0; i < 4; ++i) {
    append(quarter());
    append(block_of(other, 1));
  }
  EXPECT_EQ(blocks(source_), numbers({7}));
  EXPECT_EQ(blocks(other), numbers({2, 4, 6, 8}));
}

TEST_F(Minis, ManySmallOnesBecomeALargerMini) {
  for (std::size_t i = 0; i < kMaxMinis; ++i) append(block_of(source_, 2));
  EXPECT_EQ(blocks(), numbers({kMaxMinis}));
  EXPECT_TRUE((*store_->next_block(source_, BlockNumber(0)))->mini);
  EXPECT_EQ((*store_->next_block(source_, BlockNumber(0)))->records, 2 * kMaxMinis);
  EXPECT_EQ((*store_->sources())[0].minis, numbers({kMaxMinis}));
}

TEST_F(Minis, NeverExceedAFullBlock) {
  append(quarter());
  append(quarter());
  append(block_of(source_, 220, 1023));  // 128 + 220 KiB
  EXPECT_EQ(blocks(), numbers({2, 3}));
  EXPECT_LE((*store_->next_block(source_, BlockNumber(3)))->body_raw, kBlockRawBytes);
}

TEST_F(Minis, BeforeAFullBlockAreMergedAmongThemselves) {
  append(quarter());
  append(quarter());
  append(block_of(source_, 250, 1023));
  EXPECT_EQ(blocks(), numbers({2, 3}));
  EXPECT_EQ((*store_->next_block(source_, BlockNumber(0)))->records, 128u);
  EXPECT_TRUE((*store_->sources())[0].minis.empty());
}

TEST_F(Minis, AreNotMergedAcrossACursor) {
  const LaneKey slow{store_->sink_id("slow"), source_};
  add_lane(slow);
  append(quarter());
  append(quarter());
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(3)).id);
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({2, 3, 4}));  // the cursor stands between 2 and 3
  EXPECT_EQ(lane(key_).buffered().records, 128u);
}

TEST_F(Minis, AreNotMergedAcrossACursorInsideOne) {
  add_lane({store_->sink_id("inside"), source_}, {});
  append(quarter());
  append(quarter());
  append(quarter());
  add_lane({store_->sink_id("late"), source_}, {BlockNumber(2), 5});
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 6}));  // 2 is cut in two by a cursor: it stays alone
}

TEST_F(Minis, ThatAreClaimedStayAsTheyAre) {
  append(quarter());
  append(quarter());
  const Claim claim = claim_blocks(key_, BlockNumber(1), BlockNumber(3));
  append(quarter());
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  acknowledge(claim.id);
  EXPECT_EQ(lane(key_).cursor, (Position{BlockNumber(3), 0}));
}

TEST_F(Minis, ThatEveryLanePassedAreTrimmedNotMerged) {
  for (int i = 0; i < 3; ++i) append(quarter());
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(4)).id);
  append(quarter());
  EXPECT_EQ(blocks(), numbers({1, 2, 3, 4}));
  ASSERT_TRUE(store_->close());
  open();
  EXPECT_EQ(blocks(), numbers({4}));
}

// --- lanes and claims ----------------------------------------------------------------------------

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

// --- limits --------------------------------------------------------------------------------------

std::string noise(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  std::uint64_t x = seed * 2654435761u + 1;
  for (char& c : out) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>('!' + (x >> 33) % 90);
  }
  return out;
}

RawBlock dense(SourceId source, unsigned seed) {
  BlockBuilder builder(source);
  const std::string body = noise(250'000, seed);
  NewRecord r;
  r.body = body;
  builder.append(r);
  return builder.take();
}

TEST_F(Minis, AFullBufferRefusesAppendsAndTakesAcknowledgements) {
  options_.max_size = 4 << 20;
  open();
  unsigned n = 0;
  Error error;
  for (; n < 100; ++n) {
    const auto txn = begin();
    const auto info = txn->append(dense(source_, n));
    if (!info) {
      error = info.error();
      ASSERT_TRUE(txn->commit());  // the transaction stayed usable
      break;
    }
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_EQ(error.code, ErrorCode::kFull) << n;
  EXPECT_GT(n, 10u);
  EXPECT_LE(store_->usage().used, options_.max_size);
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(9)).id);
  {
    const auto txn = begin();
    EXPECT_EQ(*txn->trim(), 8u);
    ASSERT_TRUE(txn->commit());
  }
  for (int i = 0; i < 5; ++i) append(dense(source_, 1000));
  struct stat st {};
  ASSERT_EQ(::stat(environment().c_str(), &st), 0);
  EXPECT_LT(static_cast<std::uint64_t>(st.st_size), options_.max_size * 5 / 4 + (16 << 20));
}

TEST_F(Minis, DropOldestSparesClaimsAndLetsTheUnconfiguredYieldFirst) {
  const LaneKey gone{store_->sink_id("gone"), source_};
  add_lane(gone);
  for (unsigned i = 0; i < 6; ++i) append(dense(source_, i));
  acknowledge(
      claim_blocks(key_, BlockNumber(1), BlockNumber(3)).id);  // 1 and 2: only `gone` needs them
  const Claim claim = claim_blocks(key_, BlockNumber(3), BlockNumber(4));
  const auto drop = [&] {
    const auto txn = begin();
    const auto dropped = txn->drop_oldest(1, {key_}, DropScope::kAny);
    EXPECT_TRUE(dropped);
    EXPECT_TRUE(txn->commit());
    return *dropped;
  };
  constexpr auto kFull = static_cast<std::size_t>(DropReason::kBufferFull);
  EXPECT_EQ(drop().records, 1u);
  EXPECT_EQ(drop().records, 1u);
  EXPECT_EQ(blocks(), numbers({3, 4, 5, 6}));
  EXPECT_EQ(lane(key_).dropped[kFull].records, 0u);
  EXPECT_EQ(lane(gone).dropped[kFull].records, 2u);
  EXPECT_EQ(lane(gone).cursor, (Position{BlockNumber(3), 0}));
  drop();  // 3 is claimed: 4 goes
  EXPECT_EQ(blocks(), numbers({3, 5, 6}));
  EXPECT_EQ(lane(key_).dropped[kFull].records, 1u);
  EXPECT_EQ(lane(key_).buffered().records, 3u);
  acknowledge(claim.id);
  EXPECT_EQ(lane(key_).buffered().records, 2u);
}

TEST_F(Minis, AFailedCommitLeavesTheStoreUsable) {
  append(dense(source_, 1));
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  struct stat st {};
  ASSERT_EQ(::stat(environment().c_str(), &st), 0);
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, &before);
  struct rlimit small {
    static_cast<rlim_t>(st.st_size), old.rlim_max
  };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  bool failed = false;
  {
    const auto txn = begin();
    EXPECT_TRUE(txn->append(dense(source_, 2)));
    EXPECT_TRUE(txn->append(dense(source_, 3)));
    failed = !txn->commit();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::sigaction(SIGXFSZ, &before, nullptr);
  EXPECT_TRUE(failed);
  EXPECT_EQ(store_->end_block(), BlockNumber(2));
  EXPECT_EQ(append(dense(source_, 2)).number, BlockNumber(2));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(1)));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(2)));
}

// LMDB gives an environment up when a meta page cannot be written. Until it is opened anew nothing
// can be read, and nothing of that is damage: a sink would leave the blocks out.
TEST_F(Minis, AnEnvironmentThatGaveUpIsNotDamage) {
  append(dense(source_, 1));
  int meta = -1;  // LMDB writes meta pages through a descriptor of their own, with O_DSYNC
  for (int fd = 3; fd < 256; ++fd) {
    std::error_code none;
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_DSYNC) != 0 &&
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), none) == environment())
      meta = fd;
  }
  ASSERT_GE(meta, 0);
  const int unwritable = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(::dup2(unwritable, meta), 0);
  ::close(unwritable);
  {
    const auto txn = begin();
    EXPECT_TRUE(txn->append(dense(source_, 2)));
    EXPECT_FALSE(txn->commit());
  }
  const auto read = store_->read_decoded(BlockNumber(1));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable) << read.error().message;

  // Where it cannot be opened either, that is an error, until it can.
  std::filesystem::rename(options_.directory, options_.directory + ".away");
  EXPECT_FALSE(store_->begin());
  EXPECT_FALSE(store_->begin());
  EXPECT_FALSE(store_->read_decoded(BlockNumber(1)));
  std::filesystem::rename(options_.directory + ".away", options_.directory);
  EXPECT_EQ(append(dense(source_, 2)).number, BlockNumber(2));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(1)));
}

// --- opening -------------------------------------------------------------------------------------

TEST_F(StoreTest, ASecondInstanceIsToldThePid) {
  open();
  const auto second = Store::open(options_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(StoreTest, AReaderSeesWhatTheWriterCommits) {
  EXPECT_EQ(Store::open_read_only(options_, clock_).error().code, ErrorCode::kNotFound);
  open();
  const SourceId source = store_->source_id("app");
  append(block_of(source, 3));
  // LMDB allows one environment a process: the reader is another one.
  const pid_t child = ::fork();
  if (child == 0) {
    const auto reader = Store::open_read_only(options_, clock_);
    const bool fine =
        reader && (*reader)->sources()->size() == 1 && (*reader)->read(BlockNumber(1));
    ::_exit(fine ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(StoreTest, ALaterFormatIsRefusedAndNothingIsTouched) {
  open();
  ASSERT_TRUE(store_->close());
  store_.reset();
  {
    auto env = lmdb::Environment::open(environment(), 1 << 20, false);
    ASSERT_TRUE(env);
    auto txn = env->begin_write();
    ASSERT_TRUE(txn->put(keyspace::format_key(), keyspace::encode_format({9, 2, 9})));
    ASSERT_TRUE(txn->commit());
  }
  const std::string before = *read_file(environment(), 100 << 20);
  const auto refused = Store::open(options_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("9.2"), std::string::npos);
  EXPECT_EQ(*read_file(environment(), 100 << 20), before);
}

TEST_F(StoreTest, PagesAre4KiBWhateverTheMachines) {
  open();
  append(block_of(store_->source_id("app"), 1));
  ASSERT_TRUE(store_->close());
  store_.reset();
  auto env = lmdb::Environment::open(environment(), 1 << 20, false);
  ASSERT_TRUE(env);
  EXPECT_EQ(env->begin_read()->space()->page_size, 4096u);
  // The template itself is what LMDB takes the size from.
  const std::string path = directory_.path() + "/template";
  ASSERT_TRUE(lmdb::Environment::write_template(path));
  EXPECT_EQ(std::filesystem::file_size(path), 8192u);
}

TEST_F(StoreTest, ARunByRootLeavesNothingThatTheServiceCannotOpen) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: only root gives files away";
  std::filesystem::create_directory(options_.directory);
  ASSERT_EQ(::chown(options_.directory.c_str(), 12345, 12345), 0);
  open();
  unsigned files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
    struct stat st {};
    ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 12345u) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 3u) << "the buffer, its lock, LMDB's lock";
}

// As `cp -a` makes it, beside the original: both go on, and none may take the other's names.
TEST_F(StoreTest, ACopyOfADataDirHasAnEpochOfItsOwn) {
  open();
  const Epoch original = store_->epoch();
  store_.reset();
  const std::string first = options_.directory;
  std::filesystem::copy(first, directory_.path() + "/copy",
                        std::filesystem::copy_options::recursive);
  options_.directory = directory_.path() + "/copy";
  open();
  EXPECT_NE(store_->epoch(), original);
  store_.reset();
  options_.directory = first;
  open();
  EXPECT_EQ(store_->epoch(), original);
}

TEST(MapSize, FitsIntoThirtyTwoBits) {
  EXPECT_EQ(lmdb::map_size_for(512ull << 20, 64), (640ull << 20) + (16ull << 20));
  EXPECT_EQ(lmdb::map_size_for(512ull << 20, 32), (640ull << 20) + (16ull << 20));
  EXPECT_EQ(lmdb::map_size_for(4ull << 30, 32), 1ull << 30);
}

TEST_F(StoreTest, FlippedBytesAreCorruptAndCounted) {
  open();
  const SourceId source = store_->source_id("app");
  append(dense(source, 1));
  append(dense(source, 2));
  ASSERT_TRUE(store_->close());  // blocks of before a clean stop are checked when they are read
  store_.reset();
  std::string file = *read_file(environment(), 100 << 20);
  const std::size_t at = file.find(kBlockMagic);
  ASSERT_NE(at, std::string::npos);
  file[at + 5000] = static_cast<char>(file[at + 5000] ^ 1);
  ASSERT_TRUE(replace_file(environment(), file, 0600));
  open();
  int corrupt = 0;
  for (const BlockNumber number : blocks(source)) {
    const auto block = store_->read(number);
    if (block) continue;
    EXPECT_EQ(block.error().code, ErrorCode::kCorrupt);
    ++corrupt;
  }
  EXPECT_EQ(corrupt, 1);
  EXPECT_EQ(store_->usage().corrupt_blocks, 1u);
}

TEST_F(StoreTest, AnEncryptedBufferShowsNothing) {
  WrappingKey key{"test", {}};
  key.bytes.fill(7);
  options_.keys = {key};
  open();
  const SourceId source = store_->source_id("app");
  BlockBuilder builder(source);
  NewRecord r;
  r.body = "the secret line";
  builder.append(r);
  append(builder.take());
  FileState file;
  file.path = "/srv/secret-path.log";
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->put_file(FileId(1), file));
    ASSERT_TRUE(txn->commit());
  }
  store_.reset();
  const std::string bytes = *read_file(environment(), 100 << 20);
  EXPECT_EQ(bytes.find("secret"), std::string::npos);
  open();
  EXPECT_EQ(store_->read_decoded(BlockNumber(1))->bodies, "the secret line\n");
  EXPECT_EQ((*store_->file(FileId(1)))->path, file.path);
  store_.reset();
  options_.keys[0].bytes.fill(8);
  EXPECT_EQ(Store::open(options_, clock_).error().code, ErrorCode::kAuth);
}

// --- beside each other ---------------------------------------------------------------------------

TEST_F(Minis, ReadersRunBesideTheWriter) {
  std::atomic<bool> stop{false};
  std::atomic<unsigned> read{0};
  std::thread reader([&] {
    while (!stop) {
      for (auto b = store_->next_block(source_, BlockNumber(0)); b && *b;
           b = store_->next_block(source_, (*b)->number + 1)) {
        const auto block = store_->read_decoded((*b)->number);
        if (!block && block.error().code != ErrorCode::kNotFound) {
          ADD_FAILURE() << block.error().message;
        } else if (block) {
          ++read;
        }
      }
    }
  });
  for (unsigned i = 0; i < 300 || read == 0; ++i) append(block_of(source_, 30, 400));
  stop = true;
  reader.join();
  EXPECT_GT(read, 0u);
}

// A child appends one record a commit and says each durable one over a pipe; it is killed at some
// moment. What it said must be there, in order and whole.
TEST_F(StoreTest, NothingDurableIsLostByAKill) {
  for (int round = 0; round < 50; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_ends[0]);
      auto store = Store::open(options_, clock_);
      if (!store) ::_exit(1);
      const SourceId source = (*store)->source_id("app");
      for (;;) {
        auto txn = (*store)->begin();
        const auto info = (*txn)->append(block_of(source, 40, 500));
        if (!info || !(*txn)->commit()) ::_exit(2);
        const std::uint64_t durable = info->first.value + info->records - 1;
        if (::write(pipe_ends[1], &durable, sizeof durable) != sizeof durable) ::_exit(3);
      }
    }
    ::close(pipe_ends[1]);
    std::uint64_t durable = 0, said = 0;
    const int stop_after = 1 + round % 17;
    for (int n = 0; n < stop_after && ::read(pipe_ends[0], &said, sizeof said) == sizeof said; ++n)
      durable = said;
    ::usleep(static_cast<useconds_t>(round * 37 % 900));  // into the next commit
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
    while (::read(pipe_ends[0], &said, sizeof said) == sizeof said) durable = said;
    ::close(pipe_ends[0]);

    open();
    std::uint64_t next = 1;
    for (const BlockNumber number : blocks()) {
      const auto block = store_->read_decoded(number);
      ASSERT_TRUE(block) << block.error().message;
      ASSERT_EQ(block->header.first_sequence, Sequence(next));
      next += block->header.records;
    }
    ASSERT_GT(next, durable);
    store_.reset();
  }
}

}  // namespace
}  // namespace edgehose
