// The sources over the real Store: what is committed with a position is in a block, exactly once,
// whatever rotates, stops and crashes in between.
#include <random>

#include "buffer/block.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class OverStore : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    options_.directory = dir + "-data";
    options_.max_size = 64ull << 20;
    options_.free_disk_percent = 0;
    open();
  }
  void TearDown() override {
    source.reset();
    real_.reset();
    std::filesystem::remove_all(options_.directory);
    FileSourceTest::TearDown();
  }

  void open() {
    auto opened = Store::open(options_, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    real_ = std::move(*opened);
    auto made = make_file_sources({config}, *real_, clock, environment);
    ASSERT_TRUE(made) << made.error().message;
    source = std::move((*made)[0]);
  }

  // What intake does: records and positions in one transaction.
  void commit_all() {
    ASSERT_TRUE(source->before_commit());
    auto txn = real_->begin();
    ASSERT_TRUE(txn) << txn.error().message;
    BlockBuilder builder(real_->source_id("app"));
    for (const Got& got : out.got) {
      NewRecord record;
      record.body = got.body;
      record.time = clock.wall();
      record.file = got.file;
      record.begin = got.begin;
      record.end = got.end;
      builder.append(record);
    }
    if (!out.got.empty()) {
      ASSERT_TRUE((*txn)->append(builder.take()));
    }
    ASSERT_TRUE(source->checkpoint(**txn));
    ASSERT_TRUE((*txn)->commit());
    source->settled(true);
    out.got.clear();
  }

  void restart(bool clean) {
    if (clean) commit_all();
    out.got.clear();
    source.reset();
    if (clean) {
      ASSERT_TRUE(real_->close());
    }
    real_.reset();
    open();
  }

  // Every line of every block, once, with its file's extents in order and without holes.
  void expect_stored_once(const std::string& expected) {
    std::map<std::uint32_t, std::uint64_t> ends;
    out.got.clear();
    for (auto info = *real_->next_block(SourceId(0), BlockNumber(0)); info;
         info = *real_->next_block(SourceId(0), info->number + 1)) {
      const auto block = real_->read_decoded(info->number);
      ASSERT_TRUE(block) << block.error().message;
      for (const Extent& e : block->header.extents) {
        EXPECT_LE(ends[e.file.value], e.begin) << "read twice";
        ends[e.file.value] = e.end;
      }
      RecordReader reader(*block);
      for (Record record; reader.next(record);)
        out.got.push_back({std::string(record.body), {}, 0, 0, false, false});
    }
    expect_once(expected);
  }

  StoreOptions options_;
  std::unique_ptr<Store> real_;
};

TEST_F(OverStore, RotationsAndRestarts) {
  std::string all;
  for (int round = 0; round < 12; ++round) {
    const std::string some = lines("r" + std::to_string(round), 0, 400);
    append("a.log", some);
    all += some;
    run(1s);
    if (round % 2 == 0) commit_all();
    if (round % 3 == 0) {
      for (int i = 9; i >= 1; --i)
        if (std::filesystem::exists(path("a.log." + std::to_string(i))))
          rename("a.log." + std::to_string(i), "a.log." + std::to_string(i + 1));
      rename("a.log", "a.log.1");
      append("a.log", "");
    }
    if (round % 4 == 1) restart(false);
    if (round % 4 == 3) restart(true);
  }
  run(70s);
  commit_all();
  restart(false);
  run(70s);
  EXPECT_TRUE(out.got.empty());
  expect_stored_once(all);
}

TEST_F(OverStore, CompressedWhileStopped) {
  append("a.log", lines("a", 0, 500));
  run(1s);
  commit_all();
  append("a.log", lines("a", 500, 900));
  restart(false);
  source.reset();
  shell("mv a.log a.log.1 && gzip a.log.1");
  append("a.log", lines("b", 0, 10));
  restart(false);
  run(70s);
  commit_all();
  expect_stored_once(lines("a", 0, 900) + lines("b", 0, 10));
}

TEST_F(OverStore, WhatWasCutAndLostIsCountedForEver) {
  config.max_record_bytes = 100;
  restart(false);
  append("a.log", std::string(300, 'x') + "\n");
  run(1s);
  commit_all();
  restart(true);
  append("a.log", std::string(300, 'y') + "\n" + lines("a", 0, 20));
  out.room = 1;
  drain();
  remove("a.log");
  append("a.log", "");
  run(1s);
  source.reset();  // not committed: counted when it happens again
  restart(false);
  EXPECT_EQ(source->health().losses, (SourceLosses{1, 0}));
  append("a.log", std::string(300, 'z') + "\n" + lines("b", 0, 20));
  out.room = 1;
  drain();
  truncate("a.log");
  append("a.log", "new\n");
  out.room = SIZE_MAX;
  run(70s);
  commit_all();
  const SourceLosses losses = source->health().losses;
  restart(false);
  EXPECT_EQ(losses, (SourceLosses{2, lines("b", 0, 20).size()}));
  EXPECT_EQ(source->health().losses, losses);
  ASSERT_EQ(real_->sources()->size(), 1u);
  EXPECT_EQ(real_->sources()->front().losses, losses);
}

// Both meta pages lost after a crash: the blocks, the copy outside and the files make up for them.
TEST_F(OverStore, ASalvagedStoreAndItsFilesAgree) {
  append("a.log", lines("a", 0, 300));
  run(1s);
  commit_all();  // the copy outside is of now
  std::string all = lines("a", 0, 300);
  for (int round = 0; round < 5; ++round) {
    const std::string some = lines("r" + std::to_string(round), 0, 300);
    append("a.log", some);
    all += some;
    run(1s);
    commit_all();
  }
  source.reset();
  real_.reset();
  std::fstream(options_.directory + "/buffer.mdb", std::ios::in | std::ios::out | std::ios::binary)
      .write(std::string(8192, '\0').data(), 8192);
  open();
  run(70s);
  EXPECT_TRUE(out.got.empty()) << "nothing was lost, nothing is read again";
  append("a.log", "after\n");
  run(1s);
  commit_all();
  expect_stored_once(all + "after\n");
}

}  // namespace
}  // namespace edgehose::testing
