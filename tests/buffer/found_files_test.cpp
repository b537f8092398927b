// Files that came since the copies were written: who they are is found where they were committed.
#include "buffer/found_files.h"

#include "buffer/environment_check.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

FileState file_at(std::uint64_t inode, std::uint32_t prefix_length, std::uint8_t content = 1) {
  FileState file;
  file.path = "/var/log/app.log";
  file.identity.filesystem = 7;
  file.identity.inode = inode;
  file.identity.prefix_length = prefix_length;
  if (prefix_length > 0) file.identity.prefix_hash.fill(content);
  file.offset = 500;
  return file;
}

class Found : public testing::Test {
 protected:
  void add(std::uint32_t id, const FileState& file) {
    const std::string key = keyspace::file_key(FileId(id));
    files_.add(key, keys_.seal_value(key, keyspace::encode_file(file, keyspace::kFormat)).value());
  }
  std::map<FileId, FileState> certain(const std::map<FileId, FileState>& known = {}) const {
    return files_.certain(known);
  }

  Keyring keys_;
  FoundFiles files_{keys_, FileId(5)};
};

TEST_F(Found, TheLongestPrefixIsKeptAndNoPosition) {
  add(5, file_at(1, 10));
  add(5, file_at(1, 1024, 2));
  add(5, file_at(1, 100, 3));
  add(4, file_at(9, 10));  // the copies know it
  ASSERT_EQ(certain().size(), 1u);
  const FileState file = certain().at(FileId(5));
  EXPECT_EQ(file.identity, file_at(1, 1024, 2).identity);
  EXPECT_EQ(file.offset, 0u);
}

TEST_F(Found, ARotationThatMovedItIsTheSameFile) {
  FileState later = file_at(2, 1024);
  later.path = "/var/log/app.log.1.gz";
  later.seen = WallTime(2);
  add(5, later);
  add(5, file_at(1, 1024));
  EXPECT_EQ(certain().at(FileId(5)).path, later.path);
}

TEST_F(Found, ANumberThatWasGivenTwiceTellsNothing) {
  add(5, file_at(1, 10));
  add(5, file_at(2, 1024));  // another place, and nothing to compare
  add(6, file_at(3, 1024, 1));
  add(6, file_at(3, 1024, 2));  // written anew
  add(7, file_at(4, 1024));
  EXPECT_EQ(certain().size(), 1u);
  EXPECT_TRUE(certain().contains(FileId(7)));
}

TEST_F(Found, AFileUnderTwoNumbersIsLeftOut) {
  add(5, file_at(1, 1024));
  add(6, file_at(1, 1024));
  add(7, file_at(2, 1024));
  EXPECT_EQ(certain().size(), 1u);
  EXPECT_TRUE(certain({{FileId(2), file_at(2, 1024)}}).empty());
}

TEST_F(Found, WhatFailsItsCheckIsNothing) {
  const std::string key = keyspace::file_key(FileId(5));
  std::string value =
      keys_.seal_value(key, keyspace::encode_file(file_at(1, 10), keyspace::kFormat)).value();
  value.back() ^= 1;
  files_.add(key, value);
  files_.add(key, "");
  files_.add(keyspace::counters_key(), value);
  EXPECT_TRUE(certain().empty());
}

// A file that came after the copy goes on where its blocks end.
TEST_F(Damage, AFileThatCameAfterTheCopyIsKnown) {
  for (const bool encrypted : {false, true}) {
    SCOPED_TRACE(encrypted);
    std::filesystem::remove_all(options_.directory);
    if (encrypted) options_.keys = {WrappingKey{"k", {1, 2, 3}}};
    make();
    open();
    copy();
    const FileId fresh = store_->new_file_id();
    ASSERT_TRUE(store_->source_id("app") == SourceId(1));
    for (unsigned i = 0; i < 2; ++i) {
      const auto txn = begin();
      RawBlock block = random_block(SourceId(1), 60, i * 6000);
      block.extents.front().file = fresh;
      ASSERT_TRUE(txn->append(block));
      FileState file = file_at(42, 1024);
      file.offset = (i + 1) * 6000;
      ASSERT_TRUE(txn->put_file(fresh, file));
      ASSERT_TRUE(txn->commit());
    }
    store_.reset();
    const std::string before[] = {copies_[0], copies_[1]};
    remember();
    std::copy(std::begin(before), std::end(before), copies_.begin());  // which lack it
    put(without_meta_pages());
    EXPECT_EQ(start(), bodies_.size());
    open();
    const auto file = *store_->file(fresh);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->identity, file_at(42, 1024).identity);
    EXPECT_EQ(file->offset, 12000u);
    EXPECT_FALSE(file->crc_known);
    store_.reset();
    bodies_.clear();
  }
}

// Sequences go on higher after such a salvage: what comes then is no part of an older block.
TEST_F(Damage, WhatComesAfterASalvageJoinsNoOlderBlock) {
  make();
  put(without_meta_pages());
  start();
  const std::set<std::string> before = bodies_;
  open();
  EXPECT_TRUE(store_->sources()->front().minis.empty());
  for (unsigned i = 0; i < kMaxMinis + 1; ++i)
    append(random_block(SourceId(1), 3, 90000 + i * 300));
  for (const BlockNumber number : blocks(SourceId(1))) {
    const auto block = store_->read_decoded(number);
    ASSERT_TRUE(block);
    RecordReader reader(*block);
    for (Record r; reader.next(r);)
      EXPECT_EQ(before.contains(std::string(r.body)), r.sequence < Sequence(kSequencesSkipped));
  }
  store_.reset();
  expect_consistent();
}

// Where references do not fit: dropped because the buffer is full, not because it was damaged.
TEST_F(Damage, WhatThereIsNoRoomForIsCountedAsSuch) {
  make();
  const auto check = check_environment(environment(), options_);
  ASSERT_TRUE(check && check->complete);
  std::vector<BlockSummary> found;
  std::map<BlockNumber, BlockHeader> headers;
  ASSERT_TRUE(scan_blocks(environment(), nullptr, clock_, kNever, [&](const FoundBlock& block) {
    found.push_back(summarize(block));
    headers[block.header.number] = block.header;
    return true;
  }));
  Keyring keys;
  Rebuild rebuild(check->entries, true, keys);
  std::uint64_t left_out = 0;
  for (const BlockSummary& block : choose_blocks(found).blocks) {
    if (block.source == lane_.source && left_out == 0) {
      left_out = block.records;
      rebuild.leave_out(block);
    } else {
      rebuild.keep(headers.at(block.number), [] { return fail(ErrorCode::kCorrupt, "none"); });
    }
  }
  Losses losses;
  const auto entries = rebuild.finish(losses);
  ASSERT_TRUE(entries);
  EXPECT_EQ(losses.left_out.records, left_out);
  EXPECT_EQ(losses.corrupt.records, 0u);
  const std::string key = keyspace::lane_key(lane_);
  const LaneState lane = keyspace::decode_lane(key, entries->at(key)).value();
  EXPECT_EQ(lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, left_out);
}

}  // namespace
}  // namespace edgehose
