// A buffer that this release must not read gives way to a new one, whole, with all that belongs to
// it; the new one knows how far files were read and never gives an identity twice.
#include "buffer/set_aside.h"

#include <algorithm>
#include <fstream>

#include "agent/base/file.h"
#include "buffer/archive.h"
#include "buffer/copies.h"
#include "buffer/rebuild.h"
#include "tests/buffer/format_fixture.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;
using keyspace::FormatVersion;

const FormatVersion kLater{1, 9, static_cast<std::uint16_t>(keyspace::kSupport + 1)};

class SetAsideTest : public FormatTest {
 protected:
  // A buffer with records, a file that was read to `offset`, and a sink that has learned something.
  void fill(std::uint64_t offset = 210) {
    open();
    const SourceId source = store_->source_id("app");
    const SinkId sink = store_->sink_id("archive");
    add_lane({sink, source});
    const auto txn = begin();
    EXPECT_TRUE(txn->append(block_of(source, 10)));
    FileState file;
    file.path = "/var/log/app.log";
    file.offset = offset;
    file_ = store_->new_file_id();
    EXPECT_TRUE(txn->put_file(file_, file));
    EXPECT_TRUE(txn->put_sink({sink, "archive", "learned"}));
    EXPECT_TRUE(txn->commit());
    epoch_ = store_->epoch();
  }
  // As a machine of the other byte order would have left it; the copies stay.
  void make_foreign() {
    std::fstream file(environment(), std::ios::in | std::ios::out | std::ios::binary);
    for (const std::size_t page : {std::size_t{0}, lmdb::kPageBytes}) {
      const std::size_t header = sizeof(std::size_t) + 8;
      for (const std::size_t at : {page + header, page + header + 8 + 2 * sizeof(std::size_t)}) {
        char bytes[4];
        file.seekg(static_cast<long>(at));
        file.read(bytes, 4);
        std::reverse(bytes, bytes + 4);
        file.seekp(static_cast<long>(at));
        file.write(bytes, 4);
      }
    }
  }
  // As the release that wrote the buffer leaves them.
  void copy_both() {
    for (int i = 0; i < 2; ++i)
      change([&](lmdb::Transaction& txn) { EXPECT_TRUE(write_copies(options_.directory, txn)); });
  }
  std::string content(const std::string& path) { return read_file(path, 64 << 20).value_or(""); }
  std::string aside() {
    const auto found = set_aside_buffers(options_.directory);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? "" : found.front().directory;
  }
  // The new buffer: nothing in it, and all that is to be known.
  void expect_taken_over(std::uint64_t offset = 210) {
    EXPECT_NE(store_->epoch(), epoch_);
    EXPECT_TRUE(blocks().empty());
    EXPECT_TRUE(lanes().empty());
    const auto file = *store_->file(file_);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->offset, offset);
    EXPECT_EQ(file->held.undelivered_from, offset) << "what came before lies elsewhere";
    EXPECT_GT(store_->new_file_id(), file_);
    EXPECT_EQ(store_->sinks()->front().note, "learned");
    const BlockInfo info = append(block_of(store_->source_id("app"), 1));
    EXPECT_GT(info.first.value, kSequencesSkipped);
    EXPECT_GT(info.number.value, kNumbersSkipped);
    EXPECT_EQ(store_->usage().set_aside, 1u);
    EXPECT_GT(store_->usage().set_aside_bytes, 0u);
    EXPECT_FALSE(store_->format().old());
  }

  FileId file_;
  Epoch epoch_{};
};

TEST_F(SetAsideTest, ALaterFormatIsAndPositionsAreThoseOfTheLastCommit) {
  fill();
  ASSERT_TRUE(store_->close());
  open();  // and killed: the copies do not know what comes
  FileState file = **store_->file(file_);
  file.offset = 4200;
  {
    const auto txn = begin();
    ASSERT_TRUE(txn->put_file(file_, file));
    ASSERT_TRUE(txn->commit());
  }
  mark(kLater);
  const std::string before = content(environment());
  open();
  expect_taken_over(4200);
  EXPECT_EQ(content(aside() + "/buffer.mdb"), before);
  EXPECT_TRUE(fs::exists(aside() + "/buffer.copy"));
}

TEST_F(SetAsideTest, OneOfAnotherMachineIsAndPositionsAreThoseOfTheCopies) {
  fill();
  ASSERT_TRUE(store_->close());
  store_.reset();
  make_foreign();
  const std::string before = content(environment());
  open();
  expect_taken_over();
  EXPECT_EQ(content(aside() + "/buffer.mdb"), before);
}

TEST_F(SetAsideTest, AnotherMajorVersionsPositionsMayMeanAnything) {
  fill();
  ASSERT_TRUE(store_->close());
  mark({2, 0, kLater.min_reader});
  copy_both();
  open();
  EXPECT_FALSE(*store_->file(file_));
  EXPECT_TRUE(store_->sinks()->empty());
  EXPECT_NE(store_->epoch(), epoch_);
  EXPECT_EQ(set_aside_buffers(options_.directory).size(), 1u);
}

TEST_F(SetAsideTest, ItsArchivesGoWithIt) {
  fill();
  ASSERT_TRUE(store_->close());
  mark(kLater);
  std::ofstream(archive_path(options_.directory, 3)) << "blocks";
  open();
  EXPECT_EQ(content(archive_path(aside(), 3)), "blocks");
  EXPECT_TRUE(archive_files(options_.directory).empty());
}

// A salvage by a release that does not know all of it would lose what it does not know.
TEST_F(SetAsideTest, ADamagedOneOfALaterFormatIsNotSalvaged) {
  fill();
  ASSERT_TRUE(store_->close());
  mark(kLater);
  copy_both();
  std::fstream(environment(), std::ios::in | std::ios::out | std::ios::binary)
      << std::string(2 * lmdb::kPageBytes, '\0');
  const std::string before = content(environment());
  open();
  expect_taken_over();
  EXPECT_EQ(content(aside() + "/buffer.mdb"), before);
}

TEST_F(SetAsideTest, WithoutItsKeyTheStartIsRefused) {
  options_.keys = {{"right", {1, 2, 3}}};
  fill();
  ASSERT_TRUE(store_->close());
  mark(kLater);
  const std::string before = content(environment());
  options_.keys = {{"wrong", {9}}};
  EXPECT_EQ(Store::open(options_, clock_).error().code, ErrorCode::kAuth);
  EXPECT_EQ(content(environment()), before);
  EXPECT_TRUE(set_aside_buffers(options_.directory).empty());
  options_.keys = {{"right", {1, 2, 3}}};
  open();
  expect_taken_over();
}

TEST_F(SetAsideTest, WhereItIsNotAllowedTheStartIsRefused) {
  fill();
  mark(kLater);
  const std::string before = content(environment());
  options_.sets_aside = false;
  EXPECT_EQ(Store::open(options_, clock_).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(content(environment()), before);
}

TEST_F(SetAsideTest, AThirdOneIsRefused) {
  for (std::size_t i = 0; i < kMaxSetAside; ++i) {
    open();
    mark(kLater);
  }
  open();
  mark(kLater);
  const auto refused = Store::open(options_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("are set aside"), std::string::npos);
  EXPECT_EQ(marked(), kLater) << "it is as it was";
}

// A kill between any two renames: the next start finishes what was begun.
TEST_F(SetAsideTest, WhatAKillLeftHalfMovedIsFinished) {
  fill();
  ASSERT_TRUE(store_->close());
  std::ofstream(archive_path(options_.directory, 3)) << "blocks";
  mark(kLater);
  const std::string moving = options_.directory + "/set-aside.moving";
  fs::create_directory(moving);  // killed before the first one
  open();
  store_.reset();
  const std::string first = aside();
  EXPECT_FALSE(fs::exists(moving));

  // Killed after the first one: the new buffer is ready, and archives and copies are to follow.
  fs::rename(environment(), environment() + ".salvaging");
  fs::create_directory(moving);
  fs::rename(first + "/buffer.mdb", moving + "/buffer.mdb");
  fs::rename(archive_path(first, 3), archive_path(options_.directory, 3));
  fs::remove_all(first);
  open();
  expect_taken_over();
  EXPECT_FALSE(fs::exists(moving));
  EXPECT_EQ(content(archive_path(aside(), 3)), "blocks");
}

// A release that knows nothing of this came in between, and put the new buffer in place.
TEST_F(SetAsideTest, WhatAnOlderReleaseFoundHalfMovedIsKeptBesideTheBuffer) {
  fill();
  ASSERT_TRUE(store_->close());
  store_.reset();
  const std::string moving = options_.directory + "/set-aside.moving";
  fs::create_directory(moving);
  std::ofstream(moving + "/buffer.mdb") << "another's";
  open();
  EXPECT_EQ(store_->epoch(), epoch_);
  EXPECT_EQ(blocks().size(), 1u);
  EXPECT_FALSE(fs::exists(moving));
  EXPECT_EQ(content(aside() + "/buffer.mdb"), "another's");
}

TEST_F(SetAsideTest, ADirectoryWithoutABufferCountsForNothing) {
  open();
  fs::create_directory(options_.directory + "/set-aside-20260101T000000Z");
  EXPECT_TRUE(set_aside_buffers(options_.directory).empty());
}

}  // namespace
}  // namespace edgehose
