// Readers, writers and kills at the same time.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/buffer/minis_fixture.h"

namespace edgehose {
namespace {

// What lists blocks or confirms a sink needs no key; one that only the service has is not asked
// for.
TEST_F(StoreTest, AReaderWithoutTheKeySeesAllButWhatIsSealed) {
  options_.keys = {{"first", {}}};
  open();
  const SourceId source = store_->source_id("app");
  const LaneKey key{store_->sink_id("archive"), source};
  add_lane(key);
  append(block_of(source, 10));
  claim_blocks(key, BlockNumber(1), BlockNumber(2));
  store_.reset();

  options_.keys.clear();
  const auto reader = Store::open_read_only(options_, clock_);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->keys_fit().error().code, ErrorCode::kAuth);
  EXPECT_EQ((*reader)->sources()->size(), 1u);
  EXPECT_EQ((*reader)->lanes()->size(), 1u);
  EXPECT_EQ((**(*reader)->next_block(source, BlockNumber(1))).records, 10u);
  EXPECT_TRUE((*reader)->claims()->empty()) << "sealed";
  EXPECT_EQ((*reader)->read(BlockNumber(1)).error().code, ErrorCode::kAuth);
  EXPECT_FALSE(Store::open(options_, clock_)) << "a writer needs it";
}

TEST_F(Minis, ReadersRunBesideTheWriter) {
  std::atomic<bool> stop{false};
  std::atomic<unsigned> read{0};
  std::thread reader([&] {
    while (!stop) {
      for (auto b = store_->next_block(source_, BlockNumber(0)); b && *b;
           b = store_->next_block(source_, (*b)->number + 1)) {
        const auto block = store_->read_decoded((*b)->number);
        if (!block && block.error().code != ErrorCode::kNotFound) {
          ADD_FAILURE() << block.error().message;
        } else if (block) {
          ++read;
        }
      }
    }
  });
  for (unsigned i = 0; i < 300 || read == 0; ++i) append(block_of(source_, 30, 400));
  stop = true;
  reader.join();
  EXPECT_GT(read, 0u);
}

// A child appends one record a commit and says each durable one over a pipe; it is killed at some
// moment. What it said must be there, in order and whole.
TEST_F(StoreTest, NothingDurableIsLostByAKill) {
  for (int round = 0; round < 50; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_ends[0]);
      auto store = Store::open(options_, clock_);
      if (!store) ::_exit(1);
      const SourceId source = (*store)->source_id("app");
      for (;;) {
        auto txn = (*store)->begin();
        const auto info = (*txn)->append(block_of(source, 40, 500));
        if (!info || !(*txn)->commit()) ::_exit(2);
        const std::uint64_t durable = info->first.value + info->records - 1;
        if (::write(pipe_ends[1], &durable, sizeof durable) != sizeof durable) ::_exit(3);
      }
    }
    ::close(pipe_ends[1]);
    std::uint64_t durable = 0, said = 0;
    const int stop_after = 1 + round % 17;
    for (int n = 0; n < stop_after && ::read(pipe_ends[0], &said, sizeof said) == sizeof said; ++n)
      durable = said;
    ::usleep(static_cast<useconds_t>(round * 37 % 900));  // into the next commit
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
    while (::read(pipe_ends[0], &said, sizeof said) == sizeof said) durable = said;
    ::close(pipe_ends[0]);

    open();
    std::uint64_t next = 1;
    for (const BlockNumber number : blocks()) {
      const auto block = store_->read_decoded(number);
      ASSERT_TRUE(block) << block.error().message;
      ASSERT_EQ(block->header.first_sequence, Sequence(next));
      next += block->header.records;
    }
    ASSERT_GT(next, durable);
    store_.reset();
  }
}

}  // namespace
}  // namespace edgehose
