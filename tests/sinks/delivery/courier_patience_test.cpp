// Hours and weeks without a destination: attempts are few, nothing is given up, and memory does not
// grow with time.
#include <malloc.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using State = CourierStatus::State;

class CourierPatienceTest : public CourierTest {
 protected:
  // So long it answers each request with that. How many there were; the heap after half of them
  // and after all, without what this test writes down.
  std::size_t attempts(Duration time, const std::string& verdict) {
    const Instant half = clock.now() + time / 2, end = clock.now() + time;
    std::size_t count = 0;
    while (clock.now() < end) {
      EXPECT_EQ(transport->sent.size(), 1u) << "one at a time while it fails";
      answer(verdict);
      advance_to_next();
      forget_what_was_noted();
      ++count;
      if (clock.now() < half) heap_ = heap();
    }
    EXPECT_LE(heap(), heap_ + 4096);
    EXPECT_TRUE(outcomes.take().empty()) << "nothing is settled, and nothing given up";
    return count;
  }
  void drains(std::size_t claims) {
    while (!transport->sent.empty()) answer("ok");
    EXPECT_EQ(take<Settled>().size(), claims);
    EXPECT_EQ(status().state, State::kIdle);
    EXPECT_TRUE(status().last_error.empty());
  }

 private:
  void forget_what_was_noted() {
    transport->log = {};
    transport->bodies = {};
    sink->attempted = {};
    sink->maybe_arrived = {};
    sink->wrong_there = {};
    sink->left = {};
    sink->size_limits = {};
    sink->spent = {};
    sink->held_back = {};
    sink->ambiguous = {};
  }
  static std::size_t heap() { return mallinfo2().uordblks; }
  std::size_t heap_ = 0;
};

TEST_F(CourierPatienceTest, AnHourWithoutADestination) {
  make({.retry = {1s, 5min}, .concurrency = 1, .seed = 3});
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  const std::size_t count = attempts(1h, "away");
  EXPECT_GE(count, 15u) << "it goes on trying";
  EXPECT_LE(count, 80u);
  EXPECT_EQ(status().state, State::kBackingOff);
  drains(3);
}

TEST_F(CourierPatienceTest, AWeekOfRefusedCredentials) {
  make({.concurrency = 1, .seed = 3});
  for (const std::uint64_t n : {1, 2, 3}) post(n);
  run();
  const std::size_t count = attempts(24h * 7, "denied");
  EXPECT_GE(count, 7u * 24 * 12) << "in five minutes at least once";
  EXPECT_LE(count, 7u * 24 * 24) << "and in two and a half at most";
  EXPECT_EQ(status().state, State::kParked);
  drains(3);
}

}  // namespace
}  // namespace edgehose
