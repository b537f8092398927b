// Random lives of a courier against a model: each claim ends once, whatever the sink answers.
#include <random>
#include <set>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

class CourierModelTest : public CourierTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(CourierModelTest, EachClaimIsSettledExactlyOnce) {
  std::mt19937_64 random(GetParam());
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const unsigned concurrency = 1 + static_cast<unsigned>(pick(4));
  make({.retry = {std::chrono::seconds(1), std::chrono::minutes(1)},
        .concurrency = concurrency,
        .recognises = Recognises::kNothing,
        .seed = GetParam()});
  const std::vector<std::string> kAnswers{"ok",    "ok",      "ok",          "away",
                                          "lost",  "busy",    "denied",      "poison",
                                          "large", "one bad", "other poison"};
  std::set<ClaimId> open;
  std::uint64_t posted = 0;
  const auto check_events = [&] {
    for (const CourierEvent& event : outcomes.take()) {
      ClaimId id{};
      if (const auto* settled = std::get_if<Settled>(&event)) id = settled->ack.claim;
      if (const auto* halve = std::get_if<Halve>(&event)) id = halve->claim;
      ASSERT_EQ(open.erase(id), 1u) << "claim " << id.value << " ended twice, or was not given";
    }
  };
  for (int i = 0; i < 2000; ++i) {
    switch (pick(4)) {
      case 0:
        if (open.size() < 64) {
          open.insert(ClaimId{++posted});
          post(posted);
        }
        break;
      case 1:
        if (!transport->sent.empty())
          transport->answer(pick(transport->sent.size()), kAnswers[pick(kAnswers.size())]);
        break;
      case 2: clock.advance(std::chrono::milliseconds(pick(90'000))); break;
      case 3: courier->step(); break;
    }
    ASSERT_LE(transport->sent.size(), concurrency);
    check_events();
    std::set<std::string> keys;
    for (const auto& sent : transport->sent)
      ASSERT_TRUE(keys.insert(sent.key).second) << "sent twice at once";
  }
  // The sink heals: everything ends, in bounded time.
  for (int i = 0; i < 5000 && !open.empty(); ++i) {
    while (!transport->sent.empty()) transport->answer(0, "ok");
    const Instant next = courier->step();
    check_events();
    if (transport->sent.empty() && next != kNever && next > clock.now())
      clock.advance(next - clock.now());
  }
  EXPECT_TRUE(open.empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, CourierModelTest, ::testing::Range(0u, 40u));

}  // namespace
}  // namespace edgehose
