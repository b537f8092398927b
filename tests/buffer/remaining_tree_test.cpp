// What is left of a tree that lost pages: what it lists is kept, what the lost pages listed is
// found, and nothing that was freed comes back.
#include "buffer/remaining_tree.h"

#include <cstring>

#include "buffer/block_header.h"
#include "buffer/environment_check.h"
#include "buffer/meta_pages.h"
#include "buffer/missing_records.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

class Remains : public Damage {
 protected:
  // Blocks of all sizes in many leaf pages: of a lane that was delivered to, of a source that
  // nothing takes, and, in freed pages, of one that was forgotten.
  void make_large() {
    open();
    const SourceId app = store_->source_id("app"), other = store_->source_id("other"),
                   gone = store_->source_id("gone");
    lane_ = {store_->sink_id("archive"), app};
    add_lane(lane_, {BlockNumber(1), 0});
    for (unsigned i = 0; i < 40; ++i) append(random_block(gone, 60, i * 6000));
    copy();
    {
      const auto txn = begin();
      ASSERT_TRUE(txn->forget_source(gone));
      ASSERT_TRUE(txn->commit());
    }
    bodies_.clear();
    for (unsigned i = 0; i < 100; ++i) {
      append_more(i, app, other);
      if (i == 30) deliver_so_far();
    }
    store_.reset();  // without close(): an unclean stop
    remember();
    held_ = read_all();
    open();
    lane_records_ = lane(lane_).buffered().records;
    store_.reset();
    put(pristine_);
  }

  void append_more(unsigned i, SourceId app, SourceId other) {
    const auto txn = begin();
    const unsigned records = i % 5 == 0 ? 10 : 300 + i;
    ASSERT_TRUE(txn->append(random_block(app, records, app_end_)));
    app_end_ += records * 100;
    if (i % 9 == 0) {
      ASSERT_TRUE(txn->append(random_block(other, 40, 0)));
    }
    FileState file;
    file.path = "/var/log/app.log";
    file.offset = app_end_;
    ASSERT_TRUE(txn->put_file(FileId(1), file));
    ASSERT_TRUE(txn->commit());
  }

  void deliver_so_far() {
    acknowledge(claim_blocks(lane_, blocks(lane_.source).front(), store_->end_block()).id);
    const auto txn = begin();
    ASSERT_TRUE(txn->trim());
    ASSERT_TRUE(txn->commit());
  }

  // Each record that the store holds, with its sequence; none of them twice.
  std::map<std::string, Sequence> read_all() {
    open();
    std::map<std::string, Sequence> records;
    for (const BlockNumber number : blocks()) {
      const auto block = store_->read_decoded(number);
      if (!block) continue;
      RecordReader reader(*block);
      for (Record r; reader.next(r);)
        EXPECT_TRUE(records.emplace(std::string(r.body), r.sequence).second) << "twice";
    }
    store_.reset();
    return records;
  }

  // As the agent starts. How many of the records that were held there are, each once, under its own
  // sequence; `others`: how many more.
  std::size_t salvage(const std::string& bad, std::size_t* others = nullptr) {
    put(bad);
    const auto recovered = recover_if_needed(options_, clock_);
    EXPECT_TRUE(recovered) << recovered.error().message;
    if (!recovered) return 0;
    report_ = *recovered;
    EXPECT_TRUE(report_.damaged);
    std::size_t found = 0, more = 0;
    for (const auto& [body, sequence] : read_all()) {
      const auto held = held_.find(body);
      ++(held != held_.end() && held->second == sequence ? found : more);
    }
    if (others != nullptr)
      *others = more;
    else
      EXPECT_EQ(more, 0u) << "were freed before";
    expect_consistent();
    return found;
  }

  NewestCommit newest(const std::string& content) {
    put(content);
    return newest();
  }
  NewestCommit newest() {
    const auto check = check_environment(environment(), options_);
    EXPECT_TRUE(check && check->newest);
    return check && check->newest ? *check->newest : NewestCommit{};
  }
  Result<RemainingTree> remaining(const std::string& content) {
    const NewestCommit commit = newest(content);
    return read_remaining_tree(environment(), commit.meta, commit.certain, options_.keys);
  }

  std::string_view page(std::size_t number) const {
    return std::string_view(pristine_).substr(number * kLmdbPage, kLmdbPage);
  }
  // Of the newest commit's tree: branch and leaf pages.
  std::vector<std::size_t> tree_pages() { return pages_below(newest(pristine_).meta.main.root); }
  std::vector<std::size_t> pages_below(std::size_t root) const {
    std::vector<std::size_t> pages{root};
    for (std::size_t i = 0; i < pages.size(); ++i) {
      const auto parsed = lmdb::TreePage::parse(page(pages[i]), pages[i]).value();
      for (std::size_t n = 0; parsed.is_branch() && n < parsed.nodes(); ++n)
        pages.push_back(parsed.child(n).value());
    }
    return pages;
  }
  // What of a leaf page is lost with it: the records of the blocks that stand in it.
  std::size_t records_in(std::size_t number) const {
    std::size_t records = 0;
    const auto parsed = lmdb::TreePage::parse(page(number), number).value();
    for (std::size_t n = 0; !parsed.is_branch() && n < parsed.nodes(); ++n) {
      const auto entry = parsed.entry(n).value();
      const auto header = decode_header(entry.value);
      if (header) records += header->records;
    }
    return records;
  }
  std::string without(std::size_t number) const {
    std::string bad = pristine_;
    bad.replace(number * kLmdbPage, kLmdbPage, std::string(kLmdbPage, '\0'));
    return bad;
  }

  std::uint64_t app_end_ = 0, lane_records_ = 0;
  std::map<std::string, Sequence> held_;
};

TEST_F(Remains, AnyPageOfTheTreeMayBeLost) {
  make_large();
  const std::vector<std::size_t> pages = tree_pages();
  ASSERT_GT(pages.size(), 8u);
  unsigned certain = 0;
  for (const std::size_t lost : pages) {
    SCOPED_TRACE(lost);
    const std::string bad = without(lost);
    const auto tree = remaining(bad);
    if (tree) {
      EXPECT_TRUE(tree->certain);
      EXPECT_EQ(tree->lost.size(), 1u);
      ++certain;
    }
    std::size_t more = 0;
    EXPECT_GE(salvage(bad, &more), held_.size() - records_in(lost));
    if (!tree) continue;
    EXPECT_EQ(more, 0u) << "were freed before";
    EXPECT_TRUE(report_.losses.assumed.empty()) << "positions are those of the last commit";
    open();
    EXPECT_EQ(store_->sources()->size(), 2u);
    if (records_in(lost) == 0) {
      EXPECT_EQ((*store_->file(FileId(1)))->offset, app_end_);
    }
  }
  EXPECT_GT(certain, pages.size() / 2);
}

// Nothing is read from freed pages that was not held: not even of a source that was forgotten.
TEST_F(Remains, OnlyWhatTheTreeLacksIsSearched) {
  make_large();
  const auto pages = tree_pages();
  const auto middle = pages[pages.size() / 2];
  const auto tree = remaining(without(middle));
  ASSERT_TRUE(tree) << tree.error().message;
  std::uint64_t bytes = 0;
  for (const PageSpan& span : tree->others) bytes += span.length;
  EXPECT_LT(bytes, pristine_.size() / 2);
  const auto whole = remaining(pristine_);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->certain);
  EXPECT_TRUE(whole->lost.empty());
  EXPECT_GT(whole->blocks.size(), tree->blocks.size());
  for (const auto& [number, live] : whole->blocks) {
    const bool lost = tree->lost[0].first <= number && number <= tree->lost[0].last;
    EXPECT_TRUE(lost || tree->blocks.contains(number)) << number.value;
    const auto in = [&](const PageSpan& span) {
      return span.first <= *live.offset && *live.offset + live.size <= span.first + span.length;
    };
    EXPECT_TRUE(tree->blocks.contains(number) || std::ranges::any_of(tree->others, in))
        << number.value;
  }
}

// A block that the tree lists and that is not there, beside a lost leaf page.
TEST_F(Remains, ABadBlockBesideALostPageIsReadAgain) {
  make_large();
  const auto pages = tree_pages();
  std::string bad = without(pages[pages.size() / 2]);
  const auto tree = remaining(bad);
  ASSERT_TRUE(tree);
  const auto large = [](const auto& block) { return block.second.size > 3 * kLmdbPage; };
  for (const auto part : {0u, 2u}) {  // its header, its columns
    const auto live = std::ranges::find_if(tree->blocks, large);
    ASSERT_NE(live, tree->blocks.end());
    std::string worse = bad;
    worse[*live->second.offset + part * kLmdbPage] ^= 1;
    const std::size_t records = salvage(worse);
    EXPECT_LT(records, held_.size());
    EXPECT_GE(report_.damaged_blocks, 1u);
    open();
    EXPECT_LT((*store_->file(FileId(1)))->offset, app_end_);
  }
}

// Neither free list is there: nothing tells for sure which commit is the last.
TEST_F(Remains, WithoutFreeListsNumbersGoOnHigher) {
  make_large();
  std::string bad = pristine_;
  std::array<lmdb::MetaPage, 2> metas;
  for (std::size_t i = 0; i < 2; ++i) {
    std::memcpy(&metas[i], pristine_.data() + i * kLmdbPage, sizeof metas[i]);
    bad.replace(metas[i].free_list.root * kLmdbPage, kLmdbPage, std::string(kLmdbPage, '\0'));
  }
  const auto tree = remaining(bad);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_FALSE(tree->certain);
  EXPECT_EQ(salvage(bad), held_.size());
  open();
  EXPECT_EQ((*store_->file(FileId(1)))->offset, app_end_);
  EXPECT_EQ(lane(lane_).possible_duplicates, 0u);
  EXPECT_GT(store_->sources()->front().next_sequence, Sequence(kSequencesSkipped));
}

// One meta page is of the last commit, the other of the one before: either will do. What came with
// the last one is found, and where its file goes on.
TEST_F(Remains, OneMetaPageIsEnough) {
  make_large();
  for (std::size_t lost = 0; lost < 2; ++lost) {
    for (const bool zeroed : {true, false}) {
      SCOPED_TRACE(testing::Message() << lost << (zeroed ? " zeroed" : " of another transaction"));
      std::string bad = without(lost);
      if (!zeroed) {
        bad = pristine_;
        bad[lost * kLmdbPage + offsetof(lmdb::MetaPage, transaction)] ^= 4;
      }
      const auto tree = remaining(bad);
      ASSERT_TRUE(tree) << tree.error().message;
      EXPECT_FALSE(tree->certain);
      EXPECT_EQ(salvage(bad), held_.size());
      EXPECT_GT(report_.blocks, 0u);
      open();
      EXPECT_EQ((*store_->file(FileId(1)))->offset, app_end_);
      EXPECT_EQ(lane(lane_).possible_duplicates, 0u);
      EXPECT_EQ(lane(lane_).buffered().records, lane_records_);
      EXPECT_GT(store_->sources()->front().next_sequence, Sequence(kSequencesSkipped));
    }
  }
}

// What an earlier salvage left in another file is found there when its reference is lost.
TEST_F(Remains, LostReferencesAreFoundAgain) {
  make_large();
  put(without_meta_pages());
  read_all();  // which salvages it
  held_ = read_all();
  pristine_ = read_file(environment(), 64 << 20).value();
  const auto pages = pages_below(newest().meta.main.root);
  ASSERT_GT(pages.size(), 3u);
  const std::string bad = without(pages[pages.size() / 2]);
  std::ofstream(environment(), std::ios::binary | std::ios::trunc) << bad;
  const auto check = check_environment(environment(), options_);
  ASSERT_TRUE(check && check->newest);
  const auto tree = read_remaining_tree(environment(), check->newest->meta, true, {});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_TRUE(tree->certain);
  EXPECT_EQ(read_all(), held_);
  expect_consistent();
}

// The copies are of the last commit, what is left of the tree may not be.
TEST_F(Remains, CopiesThatKnowMoreAreBelieved) {
  make_large();
  open();
  const auto end = store_->end_block();
  acknowledge(claim_blocks(lane_, blocks(lane_.source).front(), end).id);
  store_.reset();
  copy();
  remember();
  std::array<lmdb::MetaPage, 2> metas;
  for (std::size_t i = 0; i < 2; ++i)
    std::memcpy(&metas[i], pristine_.data() + i * kLmdbPage, sizeof metas[i]);
  const std::size_t last = metas[0].transaction > metas[1].transaction ? 0 : 1;
  put(without(last));
  ASSERT_TRUE(recover_if_needed(options_, clock_));
  open();
  EXPECT_EQ(lane(lane_).buffered().records, 0u);
  EXPECT_EQ((*store_->file(FileId(1)))->offset, app_end_);
}

TEST_F(Remains, WhatDoesNotAddUpIsNotBelieved) {
  make_large();
  const auto pages = tree_pages();
  const std::string bad = without(pages[pages.size() / 2]);
  const lmdb::MetaPage meta = newest(bad).meta;
  const auto believed = [&](const lmdb::MetaPage& page) {
    return read_remaining_tree(environment(), page, true, options_.keys).has_value();
  };
  ASSERT_TRUE(believed(meta));
  for (const auto field : {&lmdb::DatabaseRecord::branch, &lmdb::DatabaseRecord::leaf,
                           &lmdb::DatabaseRecord::overflow}) {
    lmdb::MetaPage other = meta;
    ++(other.main.*field);
    EXPECT_FALSE(believed(other));
    other.main.*field = 0;
    EXPECT_FALSE(believed(other));
  }
  lmdb::MetaPage other = meta;
  ++other.last_page;
  EXPECT_FALSE(believed(other));
  other.last_page = std::size_t{1} << 40;
  EXPECT_FALSE(believed(other));
  // A page that is in use, on the free list: its first entry's last page.
  std::string worse = bad;
  const std::size_t list = meta.free_list.root * kLmdbPage;
  std::memcpy(worse.data() + list + kLmdbPage - sizeof(std::size_t), &pages[0], sizeof pages[0]);
  put(worse);
  EXPECT_FALSE(believed(meta));
}

// Whatever the tree's pages say: what is believed is true.
TEST_F(Remains, FlippedBitsInTheTreeInventNothing) {
  make_large();
  const auto pages = tree_pages();
  for (std::size_t i = 0; i < 30 && !HasFailure(); ++i) {
    std::string bad = pristine_;
    const std::size_t lost = pages[i % pages.size()];
    for (int flips = 0; flips < 2; ++flips)
      bad[lost * kLmdbPage + random_() % kLmdbPage] ^= static_cast<char>(1 << random_() % 8);
    SCOPED_TRACE(testing::Message() << i << " in page " << lost);
    put(bad);
    const auto check = check_environment(environment(), options_);
    if (!check || check->sound) continue;  // in the page's free space
    const auto tree = read_remaining_tree(environment(), check->newest->meta, true, {});
    if (!tree) continue;
    EXPECT_GE(salvage(bad) + records_in(lost), held_.size());
  }
}

BlockSummary listed(std::uint64_t number, std::uint64_t first, std::uint32_t records,
                    std::uint32_t source = 1) {
  BlockSummary b;
  b.source = SourceId(source);
  b.number = BlockNumber(number);
  b.first = Sequence(first);
  b.records = records;
  return b;
}

TEST(Missing, OnlyBetweenListedBlocksWhereSomethingIsLost) {
  const MissingRecords missing(
      {listed(10, 101, 10), listed(30, 201, 10), listed(50, 211, 5)},
      {{BlockNumber(12), BlockNumber(20)}, {BlockNumber(60), BlockNumber(60)}});
  EXPECT_TRUE(missing.hold(listed(15, 111, 90)));
  EXPECT_TRUE(missing.hold(listed(11, 111, 20))) << "a mini of one that is lost";
  EXPECT_FALSE(missing.hold(listed(15, 110, 5))) << "reaches into the one before";
  EXPECT_FALSE(missing.hold(listed(15, 190, 12))) << "reaches into the next";
  EXPECT_FALSE(missing.hold(listed(15, 101, 10))) << "a copy of a listed one";
  EXPECT_FALSE(missing.hold(listed(9, 111, 20))) << "of another order";
  EXPECT_FALSE(missing.hold(listed(5, 50, 20))) << "nothing is lost there";
  EXPECT_FALSE(missing.hold(listed(40, 211, 0 + 1))) << "nor there";
  EXPECT_TRUE(missing.hold(listed(60, 216, 20))) << "behind the last one";
  EXPECT_TRUE(missing.hold(listed(14, 1, 20, 2))) << "all of a source";
}

}  // namespace
}  // namespace edgehose
