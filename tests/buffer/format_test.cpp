// A buffer keeps the format that it was made with: what a later minor version added is written only
// after an upgrade.
#include "agent/base/text.h"
#include "tests/buffer/format_fixture.h"

namespace edgehose {
namespace {

using keyspace::FormatVersion;
using keyspace::kFormat;

constexpr FormatVersion kOf10{1, 0, 1}, kOf11{1, 1, 1}, kOf12{1, 2, 1};

TEST(Format, EachFeatureBelongsToAMinorVersion) {
  using enum keyspace::Feature;
  EXPECT_FALSE(kOf10.allows(kReplays) || kOf10.allows(kLetterOrigin));
  EXPECT_TRUE(kOf11.allows(kReplays) && kOf11.allows(kLetterOrigin));
  for (const auto of_12 : {kReferences, kSourceLosses, kHeld, kUploads, kFirstSequences}) {
    EXPECT_FALSE(kOf11.allows(of_12));
    EXPECT_TRUE(kOf12.allows(of_12));
  }
  EXPECT_FALSE(kOf12.allows(kTraffic));
  EXPECT_TRUE(kFormat.allows(kTraffic));
  EXPECT_TRUE((FormatVersion{1, 9, 1}.allows(kTraffic))) << "of a later release";
  EXPECT_EQ(kOf10.with(kReferences), kOf12);
  EXPECT_EQ(kFormat.with(kReferences), kFormat);
}

TEST(Format, AnUpgradeKeepsWhatReferencesNeed) {
  EXPECT_EQ(keyspace::upgraded(kOf10), kFormat);
  EXPECT_EQ(keyspace::upgraded({1, 2, 2}), (FormatVersion{1, 3, 2}));
  EXPECT_EQ(keyspace::upgraded({1, 9, 1}), (FormatVersion{1, 9, 1})) << "nothing is taken back";
  EXPECT_EQ(keyspace::without_references({1, 2, 2}), kOf12);
  EXPECT_EQ(keyspace::without_references({1, 9, 2}), (FormatVersion{1, 9, 2})) << "not known";
  EXPECT_EQ(keyspace::kMinorVersions.back().minor, kFormat.minor);
  EXPECT_EQ(keyspace::kMinorVersions.back().min_reader, kFormat.min_reader);
}

TEST_F(FormatTest, ANewBufferHasTheNewest) {
  open();
  EXPECT_FALSE(store_->format().old());
  store_.reset();
  EXPECT_EQ(marked(), kFormat);
}

TEST_F(FormatTest, AnOlderOneKeepsItsOwnUntilItIsUpgraded) {
  for (std::uint16_t minor = 0; minor < kFormat.minor; ++minor) {
    open_as_of(minor);
    append(block_of(store_->source_id("app"), 10));
    ASSERT_TRUE(store_->close());
    EXPECT_EQ(marked(), (FormatVersion{1, minor, 1}));
    open();
    const StoreFormat format = store_->format();
    EXPECT_EQ(format.version, fmt::format("1.{}", minor));
    EXPECT_EQ(format.newest, "1.3");
    EXPECT_EQ(format.adds.size(), 3u - minor);
    EXPECT_FALSE(format.closes);
    {
      const auto txn = begin();
      ASSERT_TRUE(txn->upgrade_format());
    }
    EXPECT_TRUE(store_->format().old()) << "it was not committed";
    const auto txn = begin();
    ASSERT_TRUE(txn->upgrade_format());
    ASSERT_TRUE(txn->commit());
    EXPECT_FALSE(store_->format().old());
    store_.reset();
    EXPECT_EQ(marked(), kFormat);
    std::filesystem::remove_all(options_.directory);
  }
}

TEST_F(FormatTest, Before11NothingIsReplayedAndLettersAreShort) {
  open_as_of(0);
  const Claim claim = claim_ten();
  const LaneKey key = claim.lane;
  DeadLetter letter;
  letter.lane = key;
  letter.sequence = claim.first;
  letter.body = "refused";
  letter.file = FileId(7);
  letter.attributes = {{"name", "value"}};
  const std::string value = left_by(keyspace::dead_letter_key(1), [&](Store::Transaction& txn) {
    EXPECT_TRUE(txn.acknowledge({.claim = claim.id, .dead = {letter}, .unreadable = {}}));
  });
  EXPECT_EQ(value.find("name"), std::string::npos);
  EXPECT_EQ((*store_->dead_letter(1))->body, "refused");
  EXPECT_EQ((*store_->dead_letter(1))->file, FileId(0)) << "unknown";
  const auto txn = begin();
  const auto replayed = txn->replay({1});
  ASSERT_FALSE(replayed);
  EXPECT_NE(replayed.error().message.find("edgehose buffer upgrade"), std::string::npos);
  ASSERT_TRUE(txn->upgrade_format());
  EXPECT_TRUE(txn->replay({1}));
}

TEST_F(FormatTest, Before12WhatItAddedIsLeftOut) {
  open_as_of(1);
  const Claim claim = claim_ten();
  const LaneKey key = claim.lane;

  const std::string source = left_by(keyspace::source_key(key.source), [&](auto& txn) {
    EXPECT_TRUE(txn.count_losses(key.source, {3, 200}));
  });
  const SourceState state = store_->sources()->front();
  EXPECT_EQ(source, keyspace::encode_source(state, kOf11));
  EXPECT_LT(source.size(), keyspace::encode_source(state, kOf12).size());

  const std::string with_upload = left_by(keyspace::claim_key(claim.id), [&](auto& txn) {
    EXPECT_TRUE(txn.put_upload(claim.id, {"upload-id", 5 << 20, {}}));
  });
  EXPECT_EQ(with_upload.find("upload-id"), std::string::npos);

  FileState file;
  file.path = "/var/log/app.log";
  const FileId id = store_->new_file_id();
  left_by(keyspace::file_key(id), [&](auto& txn) { EXPECT_TRUE(txn.put_file(id, file)); });
  EXPECT_FALSE((*store_->file(id))->held.known);

  const auto txn = begin();
  const Status forgotten = txn->forget_source(key.source);
  ASSERT_FALSE(forgotten);
  EXPECT_NE(forgotten.error().message.find("edgehose buffer upgrade"), std::string::npos);
  ASSERT_TRUE(txn->upgrade_format());
  EXPECT_TRUE(txn->forget_source(key.source));
}

TEST_F(FormatTest, Before13NoTrafficIsKept) {
  open_as_of(2);
  SinkState sink{store_->sink_id("archive"), "archive", "note"};
  sink.traffic.ever = {300, 200};
  const auto put = [&](Store::Transaction& txn) { EXPECT_TRUE(txn.put_sink(sink)); };
  EXPECT_EQ(left_by(keyspace::sink_key(sink.id), put), keyspace::encode_sink(sink, kOf12));
  EXPECT_EQ(store_->sinks()->front().traffic.ever, WireBytes{});
  left_by(keyspace::sink_key(sink.id), [&](Store::Transaction& txn) {
    EXPECT_TRUE(txn.upgrade_format());
    put(txn);
  });
  EXPECT_EQ(store_->sinks()->front().traffic.ever, sink.traffic.ever);
}

// The one thing that raises it unasked: the blocks stay where they lie, under references.
TEST_F(FormatTest, ASalvageRaisesItAsFarAsReferencesNeed) {
  open_as_of(0);
  const SourceId source = store_->source_id("app");
  add_lane({store_->sink_id("archive"), source});
  append(block_of(source, 10));
  ASSERT_TRUE(store_->close());
  store_.reset();
  {
    std::fstream file(environment(), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(2 * lmdb::kPageBytes, '\0');
  }
  open();
  EXPECT_EQ(blocks().size(), 1u);
  store_.reset();
  EXPECT_EQ(marked(), (FormatVersion{1, 2, keyspace::kFollowsReferences}));
}

}  // namespace
}  // namespace edgehose
