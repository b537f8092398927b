#include "buffer/recovery.h"

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

TEST_F(Damage, ForeignFilesAreRefusedAndUntouchedWhereNoneIsSetAside) {
  options_.sets_aside = false;
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

TEST_F(Damage, ALaterFormatIsRefusedAndUntouchedWhereNoneIsSetAside) {
  options_.sets_aside = false;
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

}  // namespace
}  // namespace edgehose
