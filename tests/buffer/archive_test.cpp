#include "buffer/archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "buffer/block_header.h"
#include "buffer/copy_watch.h"
#include "buffer/device.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

std::string head_of(std::uint64_t number, unsigned extents) {
  BlockHeader header;
  header.number = BlockNumber(number);
  header.source = SourceId(2);
  header.records = 3;
  header.body_raw = header.body_stored = 9;
  header.index_raw = header.index_stored = 9;
  header.extents.resize(extents, Extent{FileId(1), 3 / extents, 0, 9});
  std::string head;
  encode_header(header, head);
  return head;
}

TEST(Reference, StandsBehindTheBlocksHeader) {
  const std::string head = head_of(7, 1);
  const std::string value = encode_reference(head, {5, 0x123456});
  ASSERT_EQ(value.size(), head.size() + kReferenceBytes);
  EXPECT_TRUE(value.starts_with(head));
  EXPECT_EQ(to_hex(value.substr(head.size(), 16)),
            "45485231"          // EHR1
            "05000000"          // archive
            "5634120000000000"  // offset
  );
  EXPECT_EQ(parse_reference(value), (Reference{5, 0x123456}));
  EXPECT_EQ(decode_header(value)->number, BlockNumber(7)) << "told without the archive";
}

TEST(Reference, AFlippedBitIsDamageAndNoOtherPlace) {
  const std::string value = encode_reference(head_of(7, 3), {5, 4096 + 16});
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string bad = value;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(parse_reference(bad), std::nullopt) << bit;
  }
  EXPECT_EQ(parse_reference(value.substr(0, value.size() - 1)), std::nullopt);
  EXPECT_EQ(parse_reference(""), std::nullopt);
}

TEST(Reference, OnlyPagesOfItsOwnAreGivenBack) {
  const auto span = [](std::uint64_t offset, std::uint64_t stored) {
    const PageSpan pages = pages_of(offset, stored);
    return std::pair(pages.first, pages.length);
  };
  using Span = std::pair<std::uint64_t, std::uint64_t>;
  constexpr std::uint64_t kHeader = sizeof(std::size_t) + 8;  // of a page, LMDB's
  EXPECT_EQ(span(8192 + kHeader, 5000), (Span{8192, 8192}));
  EXPECT_EQ(span(8192 + kHeader, 4096 - kHeader), (Span{8192, 4096}));
  EXPECT_EQ(span(8192 + kHeader, 4097 - kHeader), (Span{8192, 8192}));
  EXPECT_EQ(span(8192 + 900, 700).second, 0u) << "in a leaf, beside others";
  EXPECT_EQ(span(8192 + 900, 9000), (Span{12288, 4096}));
}

TEST(Reference, GapsAreWhatNoneTakes) {
  const auto gaps = [](std::vector<PageSpan> spans) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
    for (const PageSpan& gap : gaps_between(std::move(spans), 100))
      out.emplace_back(gap.first, gap.length);
    return out;
  };
  using Gaps = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  EXPECT_EQ(gaps({}), (Gaps{{0, 100}}));
  EXPECT_EQ(gaps({{50, 10}, {0, 10}, {5, 20}}), (Gaps{{25, 25}, {60, 40}}));
  EXPECT_EQ(gaps({{0, 60}, {10, 5}, {60, 200}}), Gaps{});
  EXPECT_EQ(gaps({{10, 5}, {150, 5}}), (Gaps{{0, 10}, {15, 85}}));
}

TEST(CopyWatch, TellsThatACopyGrows) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/copy";
  const auto progress = std::make_shared<OpenProgress>();
  const CopyWatch watch(path, progress, std::chrono::milliseconds(1));
  std::ofstream(path) << "1";
  while (progress->moves() == 0) std::this_thread::yield();
  std::ofstream(path) << "12";
  while (progress->moves() == 1) std::this_thread::yield();
}

// A store whose buffer lost its meta pages, opened again.
class Salvaged : public Damage {
 protected:
  void SetUp() override {
    Damage::SetUp();
    make();
    put(without_meta_pages());
    open();
  }
  // The records that can be read, each of them one that was written.
  std::size_t count() {
    std::size_t records = 0;
    for (const BlockNumber number : blocks()) {
      const auto block = store_->read_decoded(number);
      EXPECT_TRUE(block) << block.error().message;
      if (!block) continue;
      RecordReader reader(*block);
      for (Record r; reader.next(r); ++records) EXPECT_TRUE(bodies_.contains(std::string(r.body)));
    }
    return records;
  }
  // All that the lane has, and the source without a lane.
  void deliver_all() {
    const BlockNumber end = store_->end_block();
    acknowledge(claim_blocks(lane_, blocks(lane_.source).front(), end).id);
    const auto txn = begin();
    ASSERT_TRUE(txn->forget_source(store_->source_id("other")));
    ASSERT_TRUE(txn->trim());
    ASSERT_TRUE(txn->commit());
  }
  std::vector<ArchiveFile> archives() const { return archive_files(options_.directory); }
  std::uint16_t min_reader() {
    auto env = lmdb::Environment::open(environment(), 64 << 20, true);
    auto txn = env->begin_read();
    return keyspace::decode_format(**txn->get(keyspace::format_key()))->min_reader;
  }
  static unsigned holes(const std::string& path) {
    const auto fd = open_file(path, O_RDONLY);
    unsigned count = 0;
    for (off_t at = 0; fd && (at = ::lseek(fd->get(), at, SEEK_HOLE)) >= 0; ++count)
      if ((at = ::lseek(fd->get(), at, SEEK_DATA)) < 0) return count + 1;
    return count;
  }
  static std::uint64_t allocated(const std::string& path) {
    const auto fd = open_file(path, O_RDONLY);
    return fd ? *allocated_bytes(fd->get()) : 0;
  }
};

TEST_F(Salvaged, BlocksAreDeliveredOutOfTheDamagedFile) {
  ASSERT_EQ(archives().size(), 1u);
  EXPECT_EQ(archives()[0].path, options_.directory + "/buffer.mdb.salvaged-1");
  EXPECT_LT(std::filesystem::file_size(environment()), pristine_.size() / 2) << "no block twice";
  EXPECT_EQ(store_->usage().archived_blocks, 15u);
  EXPECT_GT(store_->usage().archived_bytes, 0u);
  EXPECT_EQ(count(), bodies_.size());
  expect_consistent();
  append(random_block(lane_.source, 3, 80000));  // goes on at once, in the new file
  EXPECT_EQ(count(), bodies_.size());
  const std::uint64_t before = allocated(archives()[0].path);
  deliver_all();
  EXPECT_TRUE(archives().empty());
  const auto left = quarantines(options_.directory);
  ASSERT_EQ(left.size(), 1u) << "what is left of it is kept to be looked into";
  EXPECT_LT(left[0].allocated, before);
  EXPECT_EQ(store_->usage().archived_blocks, 0u);
  EXPECT_EQ(store_->usage().archived_bytes, 0u);
  expect_consistent();
}

// An older release would take a reference for a damaged block.
TEST_F(Salvaged, OlderReleasesAreRefusedUntilAllIsDelivered) {
  EXPECT_EQ(min_reader(), keyspace::kFollowsReferences);
  open();
  EXPECT_EQ(min_reader(), keyspace::kFollowsReferences) << "a restart";
  deliver_all();
  EXPECT_EQ(min_reader(), 1u);
}

TEST_F(Salvaged, WhatIsCountedSurvivesARestart) {
  EXPECT_EQ(store_->usage().salvaged_records, bodies_.size());
  store_->close();
  open();
  EXPECT_EQ(store_->usage().salvaged_records, bodies_.size());
  EXPECT_EQ(store_->usage().lost_records, 0u);
  EXPECT_EQ(store_->usage().archived_blocks, 15u);
}

// Killed between the two renames, before them, and between the last commit and its renaming.
TEST_F(Salvaged, AKillAtAnyStepLosesNothing) {
  store_.reset();
  std::filesystem::rename(environment(), environment() + ".salvaging");
  open();
  EXPECT_EQ(count(), bodies_.size());
  store_.reset();
  put(without_meta_pages());
  std::ofstream(environment() + ".salvaging") << "half of a new one";
  open();
  EXPECT_EQ(count(), bodies_.size());
  deliver_all();
  store_.reset();
  const std::string left = quarantines(options_.directory).front().path;
  std::filesystem::rename(left, archive_path(options_.directory, 1));
  open();
  EXPECT_TRUE(archives().empty());
  EXPECT_EQ(quarantines(options_.directory).size(), 1u);
}

TEST_F(Salvaged, ASecondDamageFindsWhatTheFirstLeft) {
  append(random_block(lane_.source, 7, 80000));
  const Sequence next = store_->sources()->front().next_sequence;
  store_.reset();
  const std::string first = read_file(environment(), 64 << 20).value();
  const auto damage = [&](std::string bad) {
    std::filesystem::remove(environment() + "-lock");
    std::ofstream(environment(), std::ios::binary | std::ios::trunc) << bad;
    open();
    EXPECT_EQ(count(), bodies_.size());
    EXPECT_GE(store_->sources()->front().next_sequence, next);
    expect_consistent();
  };
  damage(std::string(2 * kLmdbPage, '\0') + first.substr(2 * kLmdbPage));
  EXPECT_EQ(archives().size(), 2u);
  EXPECT_EQ(store_->usage().archived_blocks, 16u);
  // Nothing of its own is left: all lies in the first two.
  damage("not a buffer");
  EXPECT_EQ(archives().size(), 2u);
  deliver_all();
  EXPECT_TRUE(archives().empty());
}

// The tree of the second one can be read whole; its newest block is bad.
TEST_F(Salvaged, ASecondDamageOfABlockKeepsTheReferences) {
  const std::size_t before = bodies_.size();
  const auto bad = append(random_block(lane_.source, 40, 80000));
  store_.reset();
  std::string content = read_file(environment(), 64 << 20).value();
  BlockHeader header;
  for (std::size_t at = content.find(kBlockMagic); at != std::string::npos;
       at = content.find(kBlockMagic, at + 1)) {
    const auto found = decode_header(std::string_view(content).substr(at));
    if (!found || found->number != bad.number) continue;
    content[at + header_size(*found) + 30] ^= 1;
    break;
  }
  std::ofstream(environment(), std::ios::binary | std::ios::trunc) << content;
  open();
  EXPECT_EQ(count(), before);
  EXPECT_EQ(lane(lane_).buffered().records, 12u * 60);
  EXPECT_EQ(store_->usage().lost_records, 40u);
  EXPECT_EQ(store_->usage().salvaged_records, 2 * before) << "twice";
  expect_consistent();
}

TEST_F(Salvaged, AReaderKeepsWhatItLooksAt) {
  auto reader = lmdb::Environment::open(environment(), 64 << 20, true);
  // LMDB allows one environment a file and process: a reader's place in the table is what counts.
  auto looking = std::optional(reader->begin_read());
  const std::uint64_t before = allocated(archives()[0].path);
  deliver_all();
  ASSERT_EQ(archives().size(), 1u);
  EXPECT_EQ(allocated(archives()[0].path), before);
  looking.reset();
  store_->maintain();
  EXPECT_TRUE(archives().empty());
}

TEST_F(Salvaged, ABlockThatIsDamagedLaterIsFoundWhenItIsRead) {
  const BlockNumber number = blocks(lane_.source)[3];
  const std::string path = archives()[0].path;
  std::string content = read_file(path, 64 << 20).value();
  for (std::size_t at = content.find(kBlockMagic); at != std::string::npos;
       at = content.find(kBlockMagic, at + 1)) {
    const auto found = decode_header(std::string_view(content).substr(at));
    if (found && found->number == number) content[at + stored_size(*found) - 5] ^= 4;
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file << content;
  }
  EXPECT_EQ(store_->read(number).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store_->usage().corrupt_blocks, 1u);
  EXPECT_TRUE(store_->read(blocks(lane_.source)[4]));
  EXPECT_EQ(verify_buffer(environment(), options_)->found, 1u);
}

TEST_F(Salvaged, AMissingFileIsMissingBlocksAndNoCrash) {
  store_.reset();
  std::filesystem::remove(archives()[0].path);
  open();
  EXPECT_EQ(store_->read(blocks().front()).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(lane(lane_).buffered().records, 12u * 60);
  append(random_block(lane_.source, 3, 80000));
}

TEST_F(Salvaged, MinisAreMergedOutOfIt) {
  for (int i = 0; i < 70; ++i) append(random_block(lane_.source, 60, 80000));
  EXPECT_EQ(count(), bodies_.size());
  EXPECT_LT(blocks(lane_.source).size(), 64u);
  expect_consistent();
}

TEST_F(Salvaged, DropOldestCountsWhatItGivesBack) {
  const std::uint64_t before = store_->usage().archived_bytes;
  const auto txn = begin();
  const auto dropped = txn->drop_oldest(10000, {lane_}, DropScope::kAny);
  ASSERT_TRUE(dropped);
  EXPECT_GT(dropped->records, 0u);
  EXPECT_LE(dropped->records, 5u * 60) << "no more than it takes";
  ASSERT_TRUE(txn->commit());
  EXPECT_LE(store_->usage().archived_bytes + 8192, before);
}

TEST_F(Salvaged, IsPutBackWithADeletedDirectory) {
  std::filesystem::remove_all(options_.directory);
  ASSERT_TRUE(store_->hold_place().value_or(false));
  EXPECT_FALSE(store_->hold_place().value_or(true));
  EXPECT_EQ(count(), bodies_.size());
  open();
  EXPECT_EQ(count(), bodies_.size());
}

// What nobody waits for gives way to what comes.
TEST_F(Salvaged, OverTheLimitOnlyWhatIsHeldStaysOnTheDisk) {
  store_.reset();
  for (const ArchiveFile& a : archives()) std::filesystem::remove(a.path);
  std::string garbage(8 << 20, '\0');
  for (char& c : garbage) c = static_cast<char>(random_());
  put(without_meta_pages() + garbage);
  options_.max_size = 4 << 20;
  open();
  ASSERT_EQ(archives().size(), 1u);
  EXPECT_LT(allocated(archives()[0].path), 2u << 20);
  EXPECT_LE(holes(archives()[0].path), 2u) << "pages of the tree give little and take time";
  EXPECT_EQ(count(), bodies_.size());
  EXPECT_TRUE(begin()->append(random_block(lane_.source, 3, 80000)));
}

}  // namespace
}  // namespace edgehose
