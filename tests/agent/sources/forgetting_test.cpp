// When contents that were read to their end are forgotten.
#include "agent/sources/file_table.h"
#include "tests/agent/sources/limits_fixture.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class Forgetting : public Limits {
 protected:
  // a.log was read and is gone, b.log is there.
  void finish_a() {
    append("a.log", lines("a", 0, 50));
    run(1s);
    commit();
    remove("a.log");
    append("b.log", "b\n");
    run(80s);
    commit();
    ASSERT_TRUE(remembers_a());
  }
  bool remembers_a() const {
    return std::any_of(store.files.begin(), store.files.end(),
                       [&](const auto& f) { return f.second.path == path("a.log"); });
  }
  // What is read lets go of old descriptors, and a commit of what is forgotten.
  void live_on() {
    append("b.log", "more\n");
    run(config.poll_interval * 3);
    commit();
  }
};

TEST_F(Forgetting, FinishedContentsAreForgottenAfter30DaysOfService) {
  finish_a();
  clock.advance(24h * 29);
  live_on();
  EXPECT_TRUE(remembers_a()) << "a late copy would still be recognised";
  clock.advance(24h * 2);
  live_on();
  EXPECT_FALSE(remembers_a());
  EXPECT_EQ(store.files.size(), 1u);
}

TEST_F(Forgetting, ServiceIsCountedOverRestarts) {
  finish_a();
  for (int day = 0; day < 30; ++day) {
    drain();
    EXPECT_TRUE(remembers_a()) << "day " << day;
    clock.advance(24h);
    live_on();
    source.reset();
  }
  drain();
  clock.advance(24h);
  live_on();
  EXPECT_FALSE(remembers_a());
}

TEST_F(Forgetting, AWallClockThatJumpsForgetsNothing) {
  const std::int64_t year = std::chrono::nanoseconds(24h * 365).count();
  finish_a();
  for (const std::int64_t jump : {year, -2 * year, year}) {
    clock.set_wall(WallTime(clock.wall().value + jump));
    live_on();
    source.reset();  // and one that had jumped before the start
    live_on();
    EXPECT_TRUE(remembers_a());
  }
}

TEST_F(Forgetting, AtMost100000FinishedContentsAreKept) {
  constexpr std::uint32_t kMore = 300;
  for (std::uint32_t i = 1; i <= kMaxFinished + kMore; ++i) {
    FileState& state = store.files[1'000'000 + i];
    state.path = path("job-" + std::to_string(i) + ".log");
    state.identity.inode = 1'000'000'000ull + i;
    state.identity.prefix_length = 4;
    state.finished = true;
    FileNote note;
    note.last_seen = 1 + (i * 7919ull) % (kMaxFinished + kMore);  // in no order
    state.note = encode(note);
  }
  append("b.log", "b\n");
  run(2s);
  commit();
  EXPECT_EQ(text(), "b\n");
  EXPECT_EQ(store.files.size(), kMaxFinished + 1);
  for (const auto& [id, state] : store.files)
    ASSERT_TRUE(!state.finished || decode_note(state.note).last_seen > kMore) << "the oldest go";
  source.reset();
  run(1s);
  commit();
  EXPECT_EQ(store.files.size(), kMaxFinished + 1);
}

}  // namespace
}  // namespace edgehose::testing
