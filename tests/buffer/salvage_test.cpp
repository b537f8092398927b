#include "buffer/salvage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"

namespace edgehose {
namespace {

constexpr std::size_t kPage = 4096;

struct Spec {
  std::uint64_t number = 1, first = 1;
  std::uint32_t records = 3;
  bool mini = false;
  std::uint32_t source = 1;
  std::int64_t time = 1000;
};

std::string stored_block(const Spec& spec, Keyring* keys = nullptr) {
  BlockBuilder builder((SourceId(spec.source)));
  std::mt19937_64 random(spec.number * 1000 + spec.first);
  for (std::uint32_t i = 0; i < spec.records; ++i) {
    std::string body;
    for (int k = 0; k < 20; ++k) body += std::to_string(random());
    NewRecord r;
    r.body = body;
    r.time = WallTime(spec.time);
    builder.append(r);
  }
  BlockHeader header;
  header.number = BlockNumber(spec.number);
  header.first_sequence = Sequence(spec.first);
  header.flags = spec.mini ? kBlockMini : 0;
  BlockEncoder encoder(1);
  return std::string(encoder.encode(builder.take(), header, keys).value());
}

class Scan : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/edgehose-salvage-XXXXXX";
    const int fd = ::mkstemp(path);
    ASSERT_GE(fd, 0);
    ::close(fd);
    path_ = path;
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  std::vector<BlockSummary> scan(const std::string& content, const Keyring* keys = nullptr) {
    std::ofstream(path_, std::ios::binary) << content;
    std::vector<BlockSummary> found;
    const auto result = scan_blocks(path_, keys, clock_, kNever, [&](const FoundBlock& b) {
      found.push_back(summarize(b));
      return true;
    });
    EXPECT_TRUE(result);
    result_ = result.value_or(ScanResult{});
    return found;
  }

  std::string path_;
  ManualClock clock_;
  ScanResult result_;
};

TEST_F(Scan, FindsBlocksAtAnyOffsetAndAcrossWindows) {
  const std::string one = stored_block({.number = 1}),
                    two = stored_block({.number = 2, .first = 4, .records = 900});
  for (const std::size_t offset :
       {0ul, 1ul, 29ul, 4096ul + 16, (1ul << 20) - 2, (1ul << 20) - 100, (1ul << 20) + 7}) {
    const auto found = scan(std::string(offset, '\0') + one + "EHB1" + two + std::string(77, 'E'));
    ASSERT_EQ(found.size(), 2u) << offset;
    EXPECT_EQ(found[0].offset, offset);
    EXPECT_EQ(found[1].number, BlockNumber(2));
    EXPECT_EQ(found[1].end(), Sequence(904));
    EXPECT_EQ(result_.damaged, 0u);
    EXPECT_TRUE(result_.complete);
  }
}

TEST_F(Scan, ADamagedBlockIsCountedAndHidesNoOther) {
  const std::string one = stored_block({.number = 1, .records = 200}),
                    two = stored_block({.number = 2});
  for (std::size_t at = 0; at < one.size(); at += 97) {
    std::string bad = one;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto found = scan(bad + two);
    ASSERT_EQ(found.size(), 1u) << at;
    EXPECT_EQ(found[0].number, BlockNumber(2));
  }
  // A block that was overwritten half-way by a newer one.
  const auto found = scan(one.substr(0, one.size() / 2) + two);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(result_.damaged, 1u);
  // The file ends inside the last one.
  EXPECT_EQ(scan(two + one.substr(0, one.size() - 1)).size(), 1u);
  EXPECT_TRUE(scan("").empty());
}

TEST_F(Scan, SealedBlocksAreCheckedWhereTheirKeyIsThere) {
  WrappingKey key{"k", {1, 2, 3}};
  auto ring = Keyring::open({}, {key});
  ASSERT_TRUE(ring);
  const std::string good = stored_block({.number = 1}, &*ring);
  std::string bad = stored_block({.number = 2, .first = 4}, &*ring);
  bad.back() = static_cast<char>(bad.back() ^ 1);
  auto found = scan(good + bad, &*ring);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].checked);
  EXPECT_EQ(result_.damaged, 1u);
  const Keyring none;
  found = scan(good + bad, &none);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_FALSE(found[0].checked);
  EXPECT_EQ(result_.unchecked, 2u);
}

TEST_F(Scan, HolesArePassedOver) {
  constexpr std::uint64_t kHole = 1ull << 32;
  const std::string one = stored_block({.number = 1}), two = stored_block({.number = 2});
  {
    std::ofstream file(path_, std::ios::binary);
    file << one;
    file.seekp(static_cast<std::streamoff>(kHole - 100));  // its data begin in front of a page
    file << two;
  }
  ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(4 * kHole)), 0);
  std::vector<std::uint64_t> found;
  const auto result = scan_blocks(path_, nullptr, clock_, kNever, [&](const FoundBlock& b) {
    found.push_back(b.offset);
    return true;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(found, (std::vector<std::uint64_t>{0, kHole - 100}));
  EXPECT_LT(result->bytes, 1u << 20);
}

TEST_F(Scan, OnlyTheGivenPagesAreSearched) {
  std::string content(40 * kPage, '\0');
  const auto put = [&](std::uint64_t number, std::size_t at) {
    const std::string block = stored_block({.number = number, .records = 200});
    content.replace(at, block.size(), block);
  };
  put(1, kPage + 16);
  put(2, 10 * kPage - 200);  // begins in the given pages, ends behind them
  put(3, 20 * kPage + 16);
  std::ofstream(path_, std::ios::binary) << content;
  ScanOptions options;
  options.where = {{8 * kPage, 2 * kPage}, {30 * kPage, 100 * kPage}};
  std::vector<BlockNumber> found;
  const auto result = scan_blocks(
      path_, nullptr, clock_, kNever,
      [&](const FoundBlock& b) {
        found.push_back(b.header.number);
        return true;
      },
      options);
  ASSERT_TRUE(result);
  EXPECT_EQ(found, std::vector<BlockNumber>{BlockNumber(2)});
  EXPECT_LE(result->bytes, 12 * kPage);
}

// Read in several places at once, by pieces that end inside of blocks.
TEST_F(Scan, ALargeFileIsSearchedWhole) {
  const std::string block = stored_block({.number = 1, .records = 3000});
  std::string content;
  std::vector<std::uint64_t> offsets;
  while (content.size() < 80u << 20) {
    offsets.push_back(content.size());
    content += block;
  }
  std::vector<std::uint64_t> found;
  for (const BlockSummary& b : scan(content)) found.push_back(b.offset);
  std::ranges::sort(found);
  EXPECT_EQ(found, offsets);
}

TEST_F(Scan, TheDeadlineEndsIt) {
  std::ofstream(path_) << stored_block({});
  const auto result =
      scan_blocks(path_, nullptr, clock_, clock_.now(), [](const FoundBlock&) { return true; });
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->complete);
  EXPECT_EQ(result->found, 0u);
}

BlockSummary summary(std::uint64_t number, std::uint64_t first, std::uint32_t records,
                     bool mini = false, std::uint32_t source = 1, std::int64_t time = 0) {
  BlockSummary b;
  b.source = SourceId(source);
  b.number = BlockNumber(number);
  b.first = Sequence(first);
  b.records = records;
  b.mini = mini;
  b.checked = true;
  b.last_time = WallTime(time);
  return b;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> chosen(const Choice& choice) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  for (const BlockSummary& b : choice.blocks) out.emplace_back(b.number.value, b.first.value);
  return out;
}

TEST(Choose, TheMergedBlockGoesBeforeItsMinis) {
  const Choice c = choose_blocks({summary(1, 1, 10, true), summary(3, 11, 10, true),
                                  summary(4, 21, 5, true), summary(3, 1, 20)});
  EXPECT_EQ(chosen(c), (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{3, 1}, {4, 21}}));
  EXPECT_EQ(c.duplicates, 2u);
  EXPECT_EQ(c.aborted, 0u);
}

TEST(Choose, StaleCopiesCountOnce) {
  const Choice c = choose_blocks({summary(2, 1, 10), summary(2, 1, 10), summary(2, 1, 10)});
  EXPECT_EQ(c.blocks.size(), 1u);
  EXPECT_EQ(c.duplicates, 2u);
}

TEST(Choose, AbortedBlocksYield) {
  // Number 5 was given to source 1, rolled back, and given again to source 2.
  Choice c = choose_blocks({summary(5, 1, 10, false, 1, 100), summary(5, 1, 3, false, 2, 200)});
  ASSERT_EQ(c.blocks.size(), 1u);
  EXPECT_EQ(c.blocks[0].source, SourceId(2));
  EXPECT_EQ(c.aborted, 1u);
  // Sequences 11 to 15 rolled back and given again with more behind them.
  c = choose_blocks({summary(7, 11, 5), summary(7, 11, 30), summary(6, 1, 10)});
  EXPECT_EQ(chosen(c), (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{6, 1}, {7, 11}}));
  EXPECT_EQ(c.duplicates, 1u);
  // Partly the same records.
  c = choose_blocks({summary(8, 1, 10), summary(9, 6, 20)});
  EXPECT_EQ(chosen(c), (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{9, 6}}));
  EXPECT_EQ(c.aborted, 1u);
}

TEST(Choose, EpochsAndSourcesDoNotMix) {
  BlockSummary other = summary(2, 1, 10);
  other.epoch[0] = 9;
  EXPECT_EQ(choose_blocks({summary(1, 1, 10), other, summary(3, 1, 10, false, 2)}).blocks.size(),
            3u);
}

}  // namespace
}  // namespace edgehose
