#include "buffer/meta_pages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "buffer/environment_check.h"
#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

using lmdb::MetaPage;
using testing::HasSubstr;

constexpr std::size_t kVersionAt = offsetof(MetaPage, version);

std::string flipped(std::string content, std::size_t at, unsigned bit) {
  content[at] = static_cast<char>(content[at] ^ (1 << bit));
  return content;
}

class MetaDamage : public Damage {
 protected:
  static rlim_t free_descriptor() {
    return static_cast<rlim_t>(FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get());
  }
  // Whatever it is, the agent starts and has every record.
  void expect_all_records(const std::string& content) {
    put(content);
    EXPECT_EQ(start(), bodies_.size());
  }
};

// One bit of each byte that LMDB reads of a meta page, the records of both trees in it, and all of
// its version and its transaction.
std::vector<std::pair<std::size_t, unsigned>> sampled_bits() {
  std::vector<std::pair<std::size_t, unsigned>> bits;
  for (std::size_t at = 0; at < sizeof(MetaPage); ++at)
    bits.emplace_back(at, static_cast<unsigned>(at * 5 % 8));
  for (unsigned bit = 0; bit < 8; ++bit) {
    bits.emplace_back(kVersionAt, bit);
    bits.emplace_back(offsetof(MetaPage, transaction), bit);
  }
  return bits;
}

class MetaBits : public MetaDamage, public testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Page, MetaBits, testing::Values(std::size_t{0}, kLmdbPage));

TEST_P(MetaBits, AFlipInAMetaPageLosesNoRecord) {
  make();
  for (const auto& [at, bit] : sampled_bits()) {
    SCOPED_TRACE(testing::Message() << "byte " << at << " bit " << bit);
    expect_all_records(flipped(pristine_, GetParam() + at, bit));
    if (HasFailure()) return;
  }
}

TEST_F(MetaDamage, TheSameFlipInBothMetaPagesLosesNoRecord) {
  make();
  for (const auto& [at, bit] : sampled_bits()) {
    if (at == kVersionAt && bit == 1) continue;  // 3: there is such a version
    SCOPED_TRACE(testing::Message() << "byte " << at << " bit " << bit);
    expect_all_records(flipped(flipped(pristine_, at, bit), kLmdbPage + at, bit));
    if (HasFailure()) return;
  }
}

TEST_F(MetaDamage, WhatLmdbDoesNotReadOfAMetaPageIsNoDamage) {
  make();
  std::string content = pristine_;
  for (const std::size_t page : {std::size_t{0}, kLmdbPage}) {
    for (std::size_t at = page + sizeof(MetaPage); at < page + kLmdbPage; ++at) {
      const std::string one = flipped(pristine_, at, at % 8);
      content[at] = one[at];
      put(one);
      const auto meta = read_meta_pages(environment());
      ASSERT_TRUE(meta);
      EXPECT_EQ(meta->damage, "");
    }
  }
  expect_all_records(content);
  EXPECT_FALSE(report_.damaged);
}

// LMDB takes the page with the higher number. With one bit less the commit before it wins.
TEST_F(MetaDamage, ACommitIsNotTakenBackByATransactionNumberThatFits) {
  unsigned tried = 0;
  for (unsigned more = 0; more < 4; ++more) {
    make();
    open();
    for (unsigned i = 0; i < more; ++i) append(random_block(lane_.source, 1, 0));
    store_.reset();
    remember();
    for (const std::size_t page : {std::size_t{0}, kLmdbPage}) {
      const std::string bad = flipped(pristine_, page + offsetof(MetaPage, transaction), 1);
      put(bad);
      const auto meta = read_meta_pages(environment());
      ASSERT_TRUE(meta);
      if (meta->damage.empty()) ++tried;
      expect_all_records(bad);
      EXPECT_TRUE(report_.damaged);
    }
    std::filesystem::remove_all(options_.directory);
    bodies_.clear();
  }
  EXPECT_GT(tried, 0u) << "no flip made two numbers that fit each other";
}

TEST_F(MetaDamage, AVersionThatLmdbNeverHadIsDamage) {
  make();
  for (const char version : {'\0', '\5', '\x9'}) {
    for (const bool both : {false, true}) {
      std::string bad = pristine_;
      bad[kVersionAt] = version;
      if (both) bad[kLmdbPage + kVersionAt] = version;
      expect_all_records(bad);
      EXPECT_TRUE(report_.damaged);
      EXPECT_THAT(report_.reason, HasSubstr("version"));
    }
  }
}

TEST_F(MetaDamage, OneMetaPageAloneOfAnotherVersionIsDamage) {
  make();
  for (const std::size_t page : {std::size_t{0}, kLmdbPage}) {
    std::string bad = pristine_;
    bad[page + kVersionAt] = 2;
    expect_all_records(bad);
    EXPECT_TRUE(report_.damaged);
  }
}

TEST_F(MetaDamage, AnotherVersionOfLmdbIsRefusedByNumber) {
  make();
  std::string later = pristine_;
  later[kVersionAt] = later[kLmdbPage + kVersionAt] = 3;
  put(later);
  options_.sets_aside = false;
  const auto refused = recover_if_needed(options_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("data format 3;"));
  EXPECT_EQ(read_file(environment(), 64 << 20).value(), later);
}

// Who reads is told the same, in words.
TEST_F(MetaDamage, ReadersAreToldInWordsWhatToDo) {
  make();
  for (const std::size_t at : {kVersionAt, offsetof(MetaPage, magic), offsetof(MetaPage, header)}) {
    put(at == offsetof(MetaPage, header) ? pristine_.substr(0, 2000) : flipped(pristine_, at, 3));
    const auto store = Store::open_read_only(options_, clock_);
    ASSERT_FALSE(store);
    const auto verified = verify_buffer(environment(), options_);
    ASSERT_FALSE(verified);
    for (const Error& error : {store.error(), verified.error()}) {
      EXPECT_EQ(error.code, ErrorCode::kCorrupt);
      EXPECT_THAT(error.message, HasSubstr("is damaged"));
      EXPECT_THAT(error.message, HasSubstr("start the agent"));
      EXPECT_THAT(error.message, testing::Not(HasSubstr("MDB_")));
    }
  }
}

// What the machine refuses of a moment says nothing about the file.
TEST_F(MetaDamage, AMachineWithoutDescriptorsIsNoDamage) {
  make();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{free_descriptor() + 2, before.rlim_max};  // the pipe's, and none for LMDB
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto checked = check_environment(environment(), options_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(checked) << checked->reason;
  EXPECT_EQ(start(), bodies_.size());
  EXPECT_FALSE(report_.damaged);
}

}  // namespace
}  // namespace edgehose
