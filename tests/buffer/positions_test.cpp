// What a salvage knows from the copies outside, and where files are read from after it.
#include <gtest/gtest.h>

#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

TEST_F(Damage, CopiesBringNamesBackAndPositionsMoveOnWithTheBlocks) {
  make();
  put(without_meta_pages());
  EXPECT_EQ(start(), bodies_.size());
  EXPECT_FALSE(report_.losses.new_epoch);
  open();
  EXPECT_EQ(store_->sources()->front().name, "app");
  const auto file = *store_->file(FileId(1));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->offset, 12u * 6000);  // the copy said 9 * 6000
  EXPECT_FALSE(file->crc_known);
  EXPECT_GT(store_->sources()->front().next_sequence, Sequence(kSequencesSkipped));
  EXPECT_EQ(lane(lane_).committed.records, 12u * 60);
  EXPECT_EQ(lane(lane_).buffered().records, 12u * 60);
}

TEST_F(Damage, OneOfTheTwoCopiesIsWholeAtAnyInstant) {
  open();
  const SourceId app = store_->source_id("app");
  const auto copied = [&] {
    const ControlEntries entries = read_copies(options_.directory).value();
    return keyspace::decode_counters(entries.at(keyspace::counters_key()))->next_block;
  };
  const auto file = [&](std::size_t i) {
    return options_.directory + "/" + std::string(kCopyFiles[i]);
  };
  for (unsigned block = 2; block < 6; ++block) {
    append(block_of(app, 1));
    copy();
    ASSERT_EQ(copied(), BlockNumber(block));
  }
  for (const std::size_t torn : {0u, 1u, 1u, 0u}) {  // whichever was written last, or just now
    const std::string whole = read_file(file(1 - torn), 1 << 20).value();
    std::ofstream(file(torn), std::ios::binary | std::ios::trunc) << "EHCOPY1\nhalf";
    EXPECT_GE(copied(), BlockNumber(4));
    copy();
    EXPECT_EQ(copied(), BlockNumber(5));
    EXPECT_EQ(read_file(file(1 - torn), 1 << 20).value(), whole) << "the whole one was overwritten";
  }
}

// Exactly what a clean stop left, whatever happened to the meta pages.
TEST_F(Damage, ACleanStopLeavesACopyThatKnowsEveryPosition) {
  make();
  open();
  ASSERT_TRUE(store_->close());
  remember();
  put(without_meta_pages());
  EXPECT_EQ(start(), bodies_.size());
  open();
  const auto file = *store_->file(FileId(1));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->offset, 12u * 6000);
  EXPECT_TRUE(file->crc_known) << "nothing moved it";
}

// The end of the log is lost, or its beginning, and no sink had it: the file is read again from
// there.
TEST_F(Damage, AFileMovesBackToWhereItsSalvagedBlocksEnd) {
  make();
  open();
  ASSERT_TRUE(store_->close());
  remember();
  for (std::size_t size = 2 * kLmdbPage; size < pristine_.size(); size += kLmdbPage) {
    SCOPED_TRACE(size);
    put(pristine_.substr(0, size));
    start();
    open();
    std::uint64_t end = 0;  // of what is held from the file's beginning on
    for (const BlockNumber number : blocks(SourceId(1))) {
      const auto block = store_->read(number);
      ASSERT_TRUE(block);
      const Extent& e = block->header.extents.front();
      if (e.begin != end) break;
      end = e.end;
    }
    const auto file = *store_->file(FileId(1));
    ASSERT_TRUE(file);
    EXPECT_EQ(file->offset, end);
  }
}

// Whichever block it is, and wherever copies of it stand.
TEST_F(Damage, AFileMovesBackToAnyBlockThatIsLost) {
  make();
  open();
  const std::vector<BlockNumber> numbers = blocks(SourceId(1));
  std::map<BlockNumber, std::uint64_t> begins;
  for (const BlockNumber number : numbers)
    begins[number] = store_->read(number)->header.extents.front().begin;
  ASSERT_TRUE(store_->close());
  remember();
  ASSERT_GT(numbers.size(), 3u);
  for (const auto& [lost, begin] : begins) {
    SCOPED_TRACE(lost.value);
    std::string bad = without_meta_pages();
    put(bad);
    ASSERT_TRUE(scan_blocks(environment(), nullptr, clock_, kNever, [&](const FoundBlock& block) {
      const BlockHeader& h = block.header;
      if (h.source == SourceId(1) && h.extents.front().begin <= begin &&
          h.extents.back().end > begin)
        bad[static_cast<std::size_t>(block.offset)] = 'x';
      return true;
    }));
    put(bad);
    start();
    EXPECT_GT(report_.losses.corrupt.records, 0u);
    open();
    EXPECT_EQ((*store_->file(FileId(1)))->offset, begin);
  }
}

// Nothing is left to tell what the sinks lacked, but what stands beside each file's position.
TEST_F(Damage, AnEmptiedBufferReadsAgainWhatItHeld) {
  make();
  open();
  const std::vector<BlockNumber> numbers = blocks(SourceId(1));
  acknowledge(claim_blocks(lane_, numbers[0], numbers[2]).id);
  const auto read_on = [&](std::uint64_t begin) {
    const auto txn = begin_append(begin);
    FileState file = **store_->file(FileId(1));
    file.offset = begin + 6000;
    ASSERT_TRUE(txn->put_file(FileId(1), file));
    ASSERT_TRUE(txn->commit());
  };
  read_on(72000);
  acknowledge(claim_blocks(lane_, numbers[2], store_->end_block()).id);
  read_on(78000);  // all before it is delivered
  const Epoch epoch = store_->epoch();
  ASSERT_TRUE(store_->close());
  remember();
  for (const char* const how : {"empty", "half a page", "gone"}) {
    SCOPED_TRACE(how);
    put(how == std::string("empty") ? "" : pristine_.substr(0, kLmdbPage / 2));
    if (how == std::string("gone")) std::filesystem::remove(environment());
    start();
    EXPECT_TRUE(report_.damaged);
    EXPECT_TRUE(report_.losses.new_epoch);
    open();
    EXPECT_NE(store_->epoch(), epoch);
    EXPECT_EQ(store_->sources()->front().name, "app");
    EXPECT_EQ((*store_->file(FileId(1)))->offset, 78000u);
    EXPECT_EQ(lane(lane_).buffered().records, 0u);
    store_.reset();
  }
}

// What every sink had is not read again, whatever is gone.
TEST_F(Damage, AnEmptiedBufferOfWhichAllWasDeliveredGoesOn) {
  make();
  open();
  acknowledge(claim_blocks(lane_, blocks(lane_.source).front(), store_->end_block()).id);
  ASSERT_TRUE(store_->close());
  remember();
  put("");
  start();
  EXPECT_EQ(report_.losses.corrupt.records, 0u);
  open();
  EXPECT_EQ((*store_->file(FileId(1)))->offset, 12u * 6000);
}

// Whoever lost the key may move the file away, and begins anew.
TEST_F(Damage, AMissingBufferWhoseCopyCannotBeOpenedIsBegunAnew) {
  options_.keys = {WrappingKey{"lost", {1, 2, 3}}};
  make();
  std::filesystem::remove(environment());
  options_.keys = {WrappingKey{"new", {9}}};
  EXPECT_EQ(start(), 0u);
  EXPECT_FALSE(report_.damaged);
  EXPECT_FALSE(read_copies(options_.directory));
}

TEST_F(Damage, WhatASinkHasIsNotReadAgain) {
  make();
  open();
  acknowledge(claim_blocks(lane_, blocks(lane_.source).front(), store_->end_block()).id);
  ASSERT_TRUE(store_->close());
  remember();
  put(without_meta_pages());
  start();
  open();
  EXPECT_EQ((*store_->file(FileId(1)))->offset, 12u * 6000);
}

// A file that came is in the copy at once; a stream of them is not a stream of copies.
TEST_F(Damage, TheCopyIsRefreshedWhenFilesCome) {
  open();
  store_->maintain();
  const auto copied = [&] {
    std::size_t files = 0;
    const ControlEntries entries = read_copies(options_.directory).value();
    for (const auto& [key, value] : entries)
      if (key.starts_with(keyspace::kFilePrefix)) ++files;
    return files;
  };
  const auto put_files = [&](unsigned from, unsigned to) {
    const auto txn = begin();
    for (unsigned id = from; id < to; ++id) {
      FileState file;
      file.path = std::string(500, 'p');
      ASSERT_TRUE(txn->put_file(FileId(id), file));
    }
    ASSERT_TRUE(txn->commit());
  };
  put_files(1, 2);
  EXPECT_EQ(copied(), 1u);
  clock_.advance(std::chrono::seconds(59));
  put_files(2, 3);
  EXPECT_EQ(copied(), 1u);
  clock_.advance(std::chrono::seconds(1));
  put_files(2, 3);  // no new file, but one is due
  EXPECT_EQ(copied(), 2u);
  clock_.advance(std::chrono::minutes(1));
  put_files(1, 3);
  put_files(3, 703);  // a copy of 360 KiB: the next one waits for five minutes
  EXPECT_EQ(copied(), 702u);
  clock_.advance(std::chrono::minutes(4));
  put_files(703, 704);
  EXPECT_EQ(copied(), 702u);
  clock_.advance(std::chrono::minutes(2));
  store_->maintain();
  EXPECT_EQ(copied(), 703u);
}

}  // namespace
}  // namespace edgehose
