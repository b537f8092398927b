#include "sinks/delivery/dead_letters.h"

#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using Ranges = std::vector<SequenceRange>;

std::vector<Sequence> sequences(std::initializer_list<std::uint64_t> numbers) {
  std::vector<Sequence> all;
  for (const std::uint64_t n : numbers) all.push_back(Sequence{n});
  return all;
}
SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence{first}, Sequence{last}};
}

class DeadLettersTest : public CourierTest {
 protected:
  // Of the claim over the records one, two, three.
  std::vector<DeadLetter> collect(const std::vector<Refusal>& refusals) {
    store.add_block(1, 1, {"one", "two", "three"});
    auto letters = collect_dead_letters(store, claim(1), refusals);
    EXPECT_TRUE(letters) << letters.error().message;
    return letters.value_or(std::vector<DeadLetter>{});
  }
};

TEST(Ranges, FollowRecordsInAnyOrder) {
  EXPECT_EQ(ranges_of({}), Ranges{});
  EXPECT_EQ(ranges_of(sequences({7, 3, 1, 2, 7})), (Ranges{range(1, 3), range(7, 7)}));
  EXPECT_EQ(count_records({range(1, 3), range(7, 7)}), 4u);
}

TEST_F(DeadLettersTest, EachRecordHasTheReasonThatItWasRefusedFor) {
  const auto letters = collect({{{range(3, 3)}, "bad date", 2, WallTime(20)},
                                {{range(1, 1)}, "bad number", 1, WallTime(10)}});
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].body, "one");
  EXPECT_EQ(letters[0].reason, "bad number");
  EXPECT_EQ(letters[0].attempts, 1u);
  EXPECT_EQ(letters[0].given_up, WallTime(10));
  EXPECT_EQ(letters[1].body, "three");
  EXPECT_EQ(letters[1].reason, "bad date");
  EXPECT_EQ(letters[1].attempts, 2u);
}

TEST_F(DeadLettersTest, WithoutNamesItIsAllOfTheClaim) {
  EXPECT_EQ(collect({{{}, "mapping", 1, WallTime(1)}}).size(), 3u);
  EXPECT_TRUE(collect({}).empty());
}

TEST(Refusals, ReasonsTakeSoMuchMemoryAtMost) {
  Refusals refusals;
  std::uint64_t added = 0;
  for (std::uint64_t i = 1; i <= 5000; ++i, ++added)
    refusals.add({{range(i, i)}, std::string(2000, 'x'), 1, {}, i % 2 ? "odd" : "even"});
  std::size_t bytes = 0;
  std::uint64_t records = 0;
  for (const Refusal& refusal : refusals.all()) {
    bytes += refusal.reason.size();
    records += count_records(refusal.records);
    for (const SequenceRange& r : refusal.records)
      EXPECT_EQ(refusal.kind, r.first.value % 2 ? "odd" : "even") << r.first.value;
  }
  EXPECT_LE(bytes, Refusals::kMaxReasonBytes + kMaxDeadLetterReason);
  EXPECT_EQ(records, added);
  EXPECT_EQ(refusals.kinds(), "even, odd");
}

}  // namespace
}  // namespace edgehose
