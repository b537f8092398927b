#include "buffer/page_account.h"

#include <gtest/gtest.h>

#include <cstring>

#include "buffer/environment_check.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

using lmdb::MetaPage;
using lmdb::PageHeader;

class Account : public Damage {
 protected:
  template <class T>
  T read(std::size_t at) const {
    T value;
    std::memcpy(&value, pristine_.data() + at, sizeof value);
    return value;
  }
  // Where the meta page of the newest commit begins.
  std::size_t newest() const {
    const auto at = [&](std::size_t page) {
      return read<std::size_t>(page + offsetof(MetaPage, transaction));
    };
    return at(0) > at(kLmdbPage) ? 0 : kLmdbPage;
  }
  void expect_damage(std::size_t at, std::size_t value) {
    std::string bad = pristine_;
    std::memcpy(bad.data() + at, &value, sizeof value);
    put(bad);
    const auto check = check_environment(environment(), options_);
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_FALSE(check->sound);
    EXPECT_EQ(start(), bodies_.size());
  }
};

// LMDB would believe them: give out what is in use, or be full for ever.
TEST_F(Account, ACountInTheMetaPageThatIsWrongIsDamage) {
  make();
  constexpr std::size_t kMain = offsetof(MetaPage, main), kFree = offsetof(MetaPage, free_list);
  for (const std::size_t field :
       {offsetof(MetaPage, last_page), kMain + offsetof(lmdb::DatabaseRecord, branch),
        kMain + offsetof(lmdb::DatabaseRecord, leaf),
        kMain + offsetof(lmdb::DatabaseRecord, overflow),
        kMain + offsetof(lmdb::DatabaseRecord, entries),
        kFree + offsetof(lmdb::DatabaseRecord, leaf),
        kFree + offsetof(lmdb::DatabaseRecord, entries)}) {
    SCOPED_TRACE(field);
    const std::size_t at = newest() + field;
    expect_damage(at, read<std::size_t>(at) + 1);
    expect_damage(at, read<std::size_t>(at) + 64);
  }
}

// LMDB frees the page that a header names.
TEST_F(Account, ALivePageThatNamesAnotherIsDamage) {
  make();
  unsigned damaged = 0;
  for (std::size_t page = 2; page < pristine_.size() / kLmdbPage; ++page) {
    const auto header = read<PageHeader>(page * kLmdbPage);
    if (header.number != page ||
        (header.flags != lmdb::kLeafPage && header.flags != lmdb::kBranchPage))
      continue;
    std::string bad = pristine_;
    const std::size_t other = page + 1;
    std::memcpy(bad.data() + page * kLmdbPage, &other, sizeof other);
    put(bad);
    const auto check = check_environment(environment(), options_);
    ASSERT_TRUE(check);
    if (!check->sound) ++damaged;
    EXPECT_EQ(start(), bodies_.size());
  }
  EXPECT_GE(damaged, 3u) << "the root, the leaves and the free list";
}

TEST_F(Account, AFreePageThatIsInUseIsDamage) {
  make();
  const auto root =
      read<std::size_t>(newest() + offsetof(MetaPage, main) + offsetof(lmdb::DatabaseRecord, root));
  const std::size_t list = kLmdbPage * read<std::size_t>(newest() + offsetof(MetaPage, free_list) +
                                                         offsetof(lmdb::DatabaseRecord, root));
  // The free list's leaf has few entries: the last word of the page is its first one's last page.
  const std::size_t at = list + kLmdbPage - sizeof(std::size_t);
  ASSERT_LT(read<std::size_t>(at), pristine_.size() / kLmdbPage);
  expect_damage(at, root);
}

// Thousands of commits, with values of all sizes that come and go.
TEST_F(Account, WhatLmdbWritesAddsUp) {
  open();
  const SourceId app = store_->source_id("app");
  const LaneKey lane{store_->sink_id("archive"), app};
  add_lane(lane, {BlockNumber(1), 0});
  for (unsigned round = 0; round < 60; ++round) {
    for (unsigned i = 0; i < 8; ++i)
      append(random_block(app, 1 + static_cast<unsigned>(random_() % 400), 0));
    if (round % 3 != 0) {
      acknowledge(claim_blocks(lane, blocks(app).front(), store_->end_block()).id);
      const auto txn = begin();
      ASSERT_TRUE(txn->trim());
      ASSERT_TRUE(txn->commit());
    }
    if (round % 7 == 0) store_->maintain();
    const auto check = check_environment(environment(), options_);
    ASSERT_TRUE(check) << check.error().message;
    ASSERT_TRUE(check->sound) << check->reason << " in round " << round;
  }
}

}  // namespace
}  // namespace edgehose
