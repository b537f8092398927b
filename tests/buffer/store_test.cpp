#include "buffer/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "agent/base/file.h"
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

TEST_F(StoreTest, ALaterFormatIsRefusedAndNothingIsTouchedWhereNoneIsSetAside) {
  options_.sets_aside = false;
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
  EXPECT_EQ(lmdb::map_size_for_file(512ull << 20, 32), (512ull << 20) + (16ull << 20));
  EXPECT_EQ(lmdb::map_size_for_file(4ull << 30, 32), 1ull << 30);
  EXPECT_EQ(lmdb::map_size_for_file(4ull << 30, 64), (4ull << 30) + (16ull << 20));
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

}  // namespace
}  // namespace edgehose
