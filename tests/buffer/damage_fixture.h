// A small buffer with everything in it, made once and damaged again and again.
#pragma once

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <random>
#include <set>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/archive.h"
#include "buffer/copies.h"
#include "buffer/quarantine.h"
#include "buffer/recovery.h"
#include "buffer/salvage.h"
#include "buffer/verify.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {

constexpr std::size_t kLmdbPage = 4096;

class Damage : public StoreTest {
 protected:
  void SetUp() override { log::set_level(log::Level::kOff); }
  void TearDown() override {
    store_.reset();
    log::set_level(log::Level::kInfo);
  }

  RawBlock random_block(SourceId source, unsigned records, std::uint64_t begin) {
    BlockBuilder builder(source);
    for (unsigned i = 0; i < records; ++i) {
      std::string body;
      for (int k = 0; k < 4; ++k) body += std::to_string(random_());
      NewRecord r;
      r.body = body;
      r.time = WallTime(1'700'000'000'000'000'000 + ++time_);
      r.file = FileId(source.value);
      r.begin = begin + i * 100;
      r.end = r.begin + 100;
      builder.append(r);
      bodies_.insert(body);
    }
    return builder.take();
  }

  void make() {
    open();
    const SourceId app = store_->source_id("app"), other = store_->source_id("other");
    const SinkId sink = store_->sink_id("archive");
    store_->new_file_id();
    lane_ = {sink, app};
    add_lane(lane_, {BlockNumber(1), 0});
    for (int i = 0; i < 12; ++i) {
      const auto txn = begin();
      ASSERT_TRUE(txn->append(random_block(app, 60, static_cast<std::uint64_t>(i) * 6000)));
      if (i % 4 == 0) {
        ASSERT_TRUE(txn->append(random_block(other, 5, 0)));
      }
      FileState file;
      file.path = "/var/log/app.log";
      file.offset = static_cast<std::uint64_t>(i + 1) * 6000;
      ASSERT_TRUE(txn->put_file(FileId(1), file));
      ASSERT_TRUE(txn->commit());
      if (i == 8) copy();
    }
    store_.reset();  // without close(): an unclean stop
    remember();
  }

  // What put() brings back: the environment's content and its copies.
  void remember() {
    pristine_ = read_file(environment(), 64 << 20).value();
    for (std::size_t i = 0; i < kCopyFiles.size(); ++i)
      copies_[i] = read_file(copy_path(i), 64 << 20).value_or("");
  }
  std::string copy_path(std::size_t i) const {
    return options_.directory + "/" + std::string(kCopyFiles[i]);
  }

  // A transaction that has appended sixty lines of the first file.
  std::unique_ptr<Store::Transaction> begin_append(std::uint64_t begin_at) {
    auto txn = begin();
    EXPECT_TRUE(txn->append(random_block(SourceId(1), 60, begin_at)));
    return txn;
  }

  void copy() {
    auto env = lmdb::Environment::open(environment(), 64 << 20, true);
    ASSERT_TRUE(env);
    auto txn = env->begin_read();
    ASSERT_TRUE(txn);
    ASSERT_TRUE(write_copies(options_.directory, *txn));
  }

  void put(const std::string& content) {
    for (const Quarantine& q : quarantines(options_.directory)) std::filesystem::remove(q.path);
    for (const ArchiveFile& a : archive_files(options_.directory)) std::filesystem::remove(a.path);
    std::filesystem::remove(environment() + "-lock");
    std::ofstream(environment(), std::ios::binary | std::ios::trunc) << content;
    for (std::size_t i = 0; i < kCopyFiles.size(); ++i) {
      std::filesystem::remove(copy_path(i));
      if (!copies_[i].empty()) std::ofstream(copy_path(i), std::ios::binary) << copies_[i];
    }
  }

  // Starts as the agent does. Every record that is read is one that was written; returns how many.
  std::size_t start() {
    auto recovered = recover_if_needed(options_, clock_);
    EXPECT_TRUE(recovered) << recovered.error().message;
    if (!recovered) return 0;
    report_ = *recovered;
    open();
    std::size_t records = 0;
    failed_reads_ = 0;
    for (const BlockNumber number : blocks()) {
      const auto block = store_->read_decoded(number);
      if (!block) {
        ++failed_reads_;
        continue;
      }
      RecordReader reader(*block);
      for (Record r; reader.next(r); ++records)
        EXPECT_TRUE(bodies_.contains(std::string(r.body))) << "a record that never was";
      EXPECT_TRUE(reader.ok());
    }
    if (report_.damaged) expect_consistent();
    store_.reset();
    return records;
  }

  void expect_consistent() {
    const auto verified = verify_buffer(environment(), options_);
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->found, 0u) << testing::PrintToString(verified->findings);
  }

  // Both meta pages are lost; every block is there.
  std::string without_meta_pages() const {
    return std::string(2 * kLmdbPage, '\0') + pristine_.substr(2 * kLmdbPage);
  }

  std::mt19937_64 random_{7};
  std::int64_t time_ = 0;
  std::set<std::string> bodies_;
  LaneKey lane_;
  std::string pristine_;
  std::array<std::string, kCopyFiles.size()> copies_;
  RecoveryReport report_;
  std::size_t failed_reads_ = 0;
};

}  // namespace edgehose
