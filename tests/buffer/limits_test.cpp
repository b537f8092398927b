// A full buffer, its policies, and commits that fail.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/buffer/minis_fixture.h"

namespace edgehose {
namespace {

TEST_F(Minis, AFullBufferRefusesAppendsAndTakesAcknowledgements) {
  options_.max_size = 4 << 20;
  open();
  unsigned n = 0;
  Error error;
  for (; n < 100; ++n) {
    const auto txn = begin();
    const auto info = txn->append(dense(source_, n));
    if (!info) {
      error = info.error();
      ASSERT_TRUE(txn->commit());  // the transaction stayed usable
      break;
    }
    ASSERT_TRUE(txn->commit());
  }
  EXPECT_EQ(error.code, ErrorCode::kFull) << n;
  EXPECT_GT(n, 10u);
  EXPECT_LE(store_->usage().used, options_.max_size);
  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(9)).id);
  {
    const auto txn = begin();
    EXPECT_EQ(*txn->trim(), 8u);
    ASSERT_TRUE(txn->commit());
  }
  for (int i = 0; i < 5; ++i) append(dense(source_, 1000));
  struct stat st {};
  ASSERT_EQ(::stat(environment().c_str(), &st), 0);
  EXPECT_LT(static_cast<std::uint64_t>(st.st_size), options_.max_size * 5 / 4 + (16 << 20));
}

constexpr auto kFull = static_cast<std::size_t>(DropReason::kBufferFull);

class Dropping : public Minis {
 protected:
  // A lane of a sink that left the config; that of key_ did not.
  LaneKey unconfigured() {
    const LaneKey gone{store_->sink_id("gone"), source_};
    add_lane(gone);
    return gone;
  }
  // One block's worth of room.
  Counter drop(DropScope scope) {
    const auto txn = begin();
    const auto dropped = txn->drop_oldest(1, {key_}, scope);
    EXPECT_TRUE(dropped);
    EXPECT_TRUE(txn->commit());
    return *dropped;
  }
};

TEST_F(Dropping, DropOldestSparesClaimsAndLetsTheUnconfiguredYieldFirst) {
  const LaneKey gone = unconfigured();
  for (unsigned i = 0; i < 6; ++i) append(dense(source_, i));
  acknowledge(
      claim_blocks(key_, BlockNumber(1), BlockNumber(3)).id);  // 1 and 2: only `gone` needs them
  const Claim claim = claim_blocks(key_, BlockNumber(3), BlockNumber(4));
  EXPECT_EQ(drop(DropScope::kAny).records, 1u);
  EXPECT_EQ(drop(DropScope::kAny).records, 1u);
  EXPECT_EQ(blocks(), numbers({3, 4, 5, 6}));
  EXPECT_EQ(lane(key_).dropped[kFull].records, 0u);
  EXPECT_EQ(lane(gone).dropped[kFull].records, 2u);
  EXPECT_EQ(lane(gone).cursor, (Position{BlockNumber(3), 0}));
  drop(DropScope::kAny);  // 3 is claimed: 4 goes
  EXPECT_EQ(blocks(), numbers({3, 5, 6}));
  EXPECT_EQ(lane(key_).dropped[kFull].records, 1u);
  EXPECT_EQ(lane(key_).buffered().records, 3u);
  acknowledge(claim.id);
  EXPECT_EQ(lane(key_).buffered().records, 2u);
}

// Else its sink, back in the config, would cut the records anew, under another name.
TEST_F(Dropping, AClaimOfTheUnconfiguredIsGivenUpWholeOrNotAtAll) {
  const LaneKey gone = unconfigured();
  for (unsigned i = 0; i < 3; ++i) append(dense(source_, i));
  const Claim claim = claim_blocks(gone, BlockNumber(1), BlockNumber(3));
  EXPECT_EQ(drop(DropScope::kUnneeded).records, 0u) << "a sink of the config needs all of it";
  ASSERT_EQ(store_->claims()->size(), 1u);
  EXPECT_EQ(store_->claims()->front().id, claim.id);

  acknowledge(claim_blocks(key_, BlockNumber(1), BlockNumber(2)).id);  // 1 only `gone` needs
  EXPECT_EQ(drop(DropScope::kUnneeded).records, 2u) << "all that was claimed";
  EXPECT_TRUE(store_->claims()->empty());
  EXPECT_EQ(blocks(), numbers({2, 3}));
  EXPECT_EQ(lane(gone).dropped[kFull].records, 2u);
  EXPECT_EQ(lane(gone).cursor, (Position{BlockNumber(3), 0}));
  EXPECT_EQ(lane(gone).buffered().records, 1u);
  EXPECT_EQ(lane(key_).buffered().records, 2u);
}

TEST_F(Minis, AFailedCommitLeavesTheStoreUsable) {
  append(dense(source_, 1));
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  struct stat st {};
  ASSERT_EQ(::stat(environment().c_str(), &st), 0);
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, &before);
  struct rlimit small {
    static_cast<rlim_t>(st.st_size), old.rlim_max
  };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  bool failed = false;
  {
    const auto txn = begin();
    EXPECT_TRUE(txn->append(dense(source_, 2)));
    EXPECT_TRUE(txn->append(dense(source_, 3)));
    failed = !txn->commit();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::sigaction(SIGXFSZ, &before, nullptr);
  EXPECT_TRUE(failed);
  EXPECT_EQ(store_->end_block(), BlockNumber(2));
  EXPECT_EQ(append(dense(source_, 2)).number, BlockNumber(2));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(1)));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(2)));
}

// LMDB gives an environment up when a meta page cannot be written. Until it is opened anew nothing
// can be read, and nothing of that is damage: a sink would leave the blocks out.
TEST_F(Minis, AnEnvironmentThatGaveUpIsNotDamage) {
  append(dense(source_, 1));
  int meta = -1;  // LMDB writes meta pages through a descriptor of their own, with O_DSYNC
  for (int fd = 3; fd < 256; ++fd) {
    std::error_code none;
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_DSYNC) != 0 &&
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), none) == environment())
      meta = fd;
  }
  ASSERT_GE(meta, 0);
  const int unwritable = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(::dup2(unwritable, meta), 0);
  ::close(unwritable);
  {
    const auto txn = begin();
    EXPECT_TRUE(txn->append(dense(source_, 2)));
    EXPECT_FALSE(txn->commit());
  }
  const auto read = store_->read_decoded(BlockNumber(1));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable) << read.error().message;

  // Where it cannot be opened either, that is an error, until it can.
  std::filesystem::rename(options_.directory, options_.directory + ".away");
  EXPECT_FALSE(store_->begin());
  EXPECT_FALSE(store_->begin());
  EXPECT_FALSE(store_->read_decoded(BlockNumber(1)));
  std::filesystem::rename(options_.directory + ".away", options_.directory);
  EXPECT_EQ(append(dense(source_, 2)).number, BlockNumber(2));
  EXPECT_TRUE(store_->read_decoded(BlockNumber(1)));
}

}  // namespace
}  // namespace edgehose
