#include "buffer/recovery.h"
#include "buffer/epoch.h"

#include <gtest/gtest.h>

#include "buffer/environment_check.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

TEST_F(Damage, ASoundBufferIsLeftAlone) {
  make();
  EXPECT_EQ(start(), bodies_.size());
  EXPECT_FALSE(report_.damaged);
  EXPECT_TRUE(quarantines(options_.directory).empty());
  expect_consistent();
}

// Every 97th byte, in four parts so that each stays short.
class Flips : public Damage, public testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Part, Flips, testing::Range(std::size_t{0}, std::size_t{4}));

TEST_P(Flips, NoFlippedBitCrashesOrInventsARecord) {
  make();
  std::size_t whole = 0, rounds = 0;
  for (std::size_t at = 97 * GetParam(); at < pristine_.size(); at += 97 * 4) {
    std::string bad = pristine_;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    put(bad);
    SCOPED_TRACE(at);
    const std::size_t records = start();
    EXPECT_GE(records + 60 * (1 + failed_reads_), bodies_.size());  // one block at most
    if (records == bodies_.size()) ++whole;
    ++rounds;
    if (HasFailure()) break;
  }
  EXPECT_GT(whole, rounds / 4);
}

TEST_F(Damage, AnEncryptedBufferSurvivesFlipsTruncationAndLostMetaPages) {
  options_.keys = {WrappingKey{"k", {1, 2, 3}}};
  make();
  for (std::size_t at = 500; at < pristine_.size(); at += 1499) {
    SCOPED_TRACE(at);
    std::string bad = pristine_;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    put(bad);
    const std::size_t records = start();
    EXPECT_GE(records + 60 * (1 + failed_reads_), bodies_.size());
    put(bad.substr(0, at));
    start();
    EXPECT_TRUE(report_.damaged);
    if (HasFailure()) break;
  }
  put(without_meta_pages());
  EXPECT_EQ(start(), bodies_.size());
}

TEST_F(Damage, TruncationKeepsWhatIsLeft) {
  make();
  for (std::size_t size = 0; size < pristine_.size(); size += 3 * kLmdbPage + 700) {
    put(pristine_.substr(0, size));
    SCOPED_TRACE(size);
    start();
    EXPECT_TRUE(report_.damaged);
    EXPECT_EQ(report_.quarantine.empty(), size == 0);
    if (HasFailure()) break;
  }
}

TEST_F(Damage, ZeroedAndRandomPages) {
  make();
  for (std::size_t page = 0; page < pristine_.size() / kLmdbPage; ++page) {
    for (const bool garbage : {false, true}) {
      std::string bad = pristine_;
      for (std::size_t i = 0; i < kLmdbPage; ++i)
        bad[page * kLmdbPage + i] = garbage ? static_cast<char>(random_()) : '\0';
      put(bad);
      SCOPED_TRACE(testing::Message() << "page " << page << (garbage ? " random" : " zeroed"));
      const std::size_t records = start();
      EXPECT_GE(records + 60 * (4 + failed_reads_),
                bodies_.size());  // a page holds few small blocks
      if (page < 2) {
        EXPECT_TRUE(report_.damaged);
        EXPECT_EQ(records, bodies_.size());  // a meta page holds no record
      }
      if (HasFailure()) return;
    }
  }
}

TEST_F(Damage, WithoutCopiesBlocksSurviveUnderANewEpoch) {
  make();
  const auto before = Store::open(options_, clock_);
  const Epoch old = (*before)->epoch();
  const_cast<std::unique_ptr<Store>&>(*before).reset();
  remove_copies(options_.directory);
  remember();
  put(without_meta_pages());
  EXPECT_EQ(start(), bodies_.size());
  EXPECT_TRUE(report_.losses.new_epoch);
  EXPECT_THAT(report_.words(), HasSubstr("new epoch"));
  open();
  EXPECT_NE(store_->epoch(), old);
  EXPECT_EQ(store_->sources()->front().name, "recovered-1");
}

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

// Two copies of one data_dir on one machine would number their next records alike.
TEST_F(Damage, ACopiedDirectoryDrawsAnotherEpochARenamedOneKeepsIt) {
  make();
  open();
  const Epoch first = store_->epoch();
  store_.reset();
  const std::string original = options_.directory;
  std::filesystem::copy(original, original + "-copy", std::filesystem::copy_options::recursive);
  open();
  EXPECT_EQ(store_->epoch(), first) << "a restart";
  store_.reset();
  std::filesystem::rename(original, original + "-moved");
  options_.directory = original + "-moved";
  open();
  EXPECT_EQ(store_->epoch(), first) << "a rename";
  store_.reset();
  options_.directory = original + "-copy";
  open();
  const Epoch second = store_->epoch();
  EXPECT_NE(second, first);
  EXPECT_EQ(store_->read(blocks().front())->header.epoch, first) << "what was there keeps its own";
  const auto now = append(random_block(lane_.source, 3, 0));
  EXPECT_EQ(store_->read(now.number)->header.epoch, second);
  open();
  EXPECT_EQ(store_->epoch(), second) << "drawn once";
}

TEST_F(Damage, ForeignFilesAreRefusedAndUntouched) {
  make();
  std::string big_endian = pristine_, newer = pristine_;
  constexpr std::size_t word = sizeof(std::size_t), header = word + 8;
  for (const std::size_t page : {std::size_t{0}, kLmdbPage}) {
    // The magic; the page size, behind magic, version, address and map size.
    for (const std::size_t at : {page + header, page + header + 8 + 2 * word})
      std::reverse(big_endian.begin() + static_cast<long>(at),
                   big_endian.begin() + static_cast<long>(at) + 4);
    newer[page + header + 4] = 2;
  }
  for (const std::string& content : {big_endian, newer}) {
    put(content);
    const auto refused = recover_if_needed(options_, clock_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(read_file(environment(), 64 << 20).value(), content);
    EXPECT_TRUE(quarantines(options_.directory).empty());
  }
}

TEST_F(Damage, ALaterFormatIsRefusedAndUntouched) {
  make();
  {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    ASSERT_TRUE(env);
    auto txn = env->begin_write();
    keyspace::FormatVersion later;
    later.major = 2;
    later.min_reader = keyspace::kSupport + 1;
    ASSERT_TRUE(txn->put(keyspace::format_key(), keyspace::encode_format(later)));
    ASSERT_TRUE(txn->commit());
  }
  const std::string before = read_file(environment(), 64 << 20).value();
  const auto refused = recover_if_needed(options_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read_file(environment(), 64 << 20).value(), before);
}

TEST_F(Damage, AWrongKeyStopsBeforeAnythingIsTouched) {
  options_.keys = {WrappingKey{"right", {1, 2, 3}}};
  make();
  std::string bad = std::string(2 * kLmdbPage, '\0') + pristine_.substr(2 * kLmdbPage);
  put(bad);
  options_.keys = {WrappingKey{"wrong", {9}}};
  const auto refused = recover_if_needed(options_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAuth);
  EXPECT_EQ(read_file(environment(), 64 << 20).value(), bad);
  options_.keys = {WrappingKey{"right", {1, 2, 3}}};
  EXPECT_EQ(start(), bodies_.size());
}

TEST_F(Damage, AnInterruptedRecoveryIsFinished) {
  make();
  std::filesystem::rename(environment(), environment() + ".salvaging");
  EXPECT_EQ(start(), bodies_.size());
  EXPECT_FALSE(report_.damaged);
}

TEST_F(Damage, AtMostTwoQuarantinesAreKept) {
  make();
  for (int i = 0; i < 4; ++i) {
    std::ofstream(environment(), std::ios::binary | std::ios::trunc) << "not a buffer";
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(recover_if_needed(options_, clock_));
  }
  EXPECT_EQ(quarantines(options_.directory).size(), 2u);
}

TEST_F(Damage, AQuarantineIsExportedByScan) {
  make();
  put(without_meta_pages());
  std::set<std::string> exported;
  const auto report = export_salvaged(environment(), options_, {}, clock_,
                                      [&](SourceId, const BlockHeader&, const Record& r) -> Status {
                                        exported.emplace(r.body);
                                        return {};
                                      });
  ASSERT_TRUE(report);
  EXPECT_EQ(exported, bodies_);
}

// A machine made of files: what its parts say, and which of them can be read.
class Moved : public Damage {
 protected:
  void SetUp() override {
    Damage::SetUp();
    make();
    put_part("etc/machine-id", "a");
    put_part("sys/class/dmi/id/product_uuid", "u");
    put_part("sys/class/net/eth0/address", "02:00:00:00:00:01");
    put_part("sys/class/net/eth0/device", "");
    start_here();  // the store was made on the real machine
    ASSERT_FALSE(start_here());
  }
  void put_part(const std::string& path, const std::string& content) {
    const std::string file = root_ + "/" + path;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << content;
  }
  void hide(const std::string& path) { std::filesystem::remove(root_ + "/" + path); }
  // Whether the epoch was drawn anew.
  bool start_here() {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    auto txn = env->begin_write();
    const std::string before(**txn->get(keyspace::epoch_key()));
    const bool moved = redraw_epoch_if_moved(*txn, options_.directory, root_).value();
    EXPECT_EQ(moved, **txn->get(keyspace::epoch_key()) != before);
    EXPECT_TRUE(txn->commit());
    return moved;
  }
  const std::string root_ = directory_.path() + "/root";
};

TEST_F(Moved, AnotherMachineIdDrawsAnotherEpochOnce) {
  put_part("etc/machine-id", "b");
  EXPECT_TRUE(start_here());
  EXPECT_FALSE(start_here());
}

TEST_F(Moved, AnotherSerialDrawsAnotherEpoch) {
  put_part("sys/class/dmi/id/product_uuid", "v");
  EXPECT_TRUE(start_here());
  put_part("proc/device-tree/serial-number", "1000");
  EXPECT_FALSE(start_here()) << "readable now, and nothing to compare it with";
  put_part("proc/device-tree/serial-number", "2000");
  EXPECT_TRUE(start_here());
}

// Root reads the UUID, the service does not: they take turns on one machine.
TEST_F(Moved, WhatCannotBeReadNowIsNoDifferenceAndStaysKnown) {
  hide("sys/class/dmi/id/product_uuid");
  EXPECT_FALSE(start_here());
  hide("etc/machine-id");
  EXPECT_FALSE(start_here());
  put_part("etc/machine-id", "uninitialized");
  EXPECT_FALSE(start_here()) << "a first boot";
  put_part("etc/machine-id", "a");
  put_part("sys/class/dmi/id/product_uuid", "u");
  EXPECT_FALSE(start_here());
  hide("sys/class/dmi/id/product_uuid");
  EXPECT_FALSE(start_here());
  put_part("sys/class/dmi/id/product_uuid", "v");
  EXPECT_TRUE(start_here()) << "a clone, known by what was read long ago";
}

TEST_F(Moved, ANetworkCardCountsOnlyWhereNothingBetterIsKnown) {
  put_part("sys/class/net/eth0/address", "02:00:00:00:00:02");
  EXPECT_FALSE(start_here()) << "a replaced card";
  hide("sys/class/dmi/id/product_uuid");
  put_part("sys/class/net/eth0/address", "02:00:00:00:00:03");
  EXPECT_TRUE(start_here());
}

TEST_F(Moved, TheLogSaysWhatChangedAndNoSerial) {
  log::set_level(log::Level::kWarn);
  put_part("etc/machine-id", "canary");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(start_here());
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_THAT(logged, HasSubstr("the machine id"));
  EXPECT_THAT(logged, testing::Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace edgehose
