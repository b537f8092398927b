#include "sinks/upload_budget.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBudgetStart{Duration(1)};

// What a greedy sender is given in ten seconds.
std::uint64_t given_in_ten_seconds(UploadBudget& budget, std::size_t want) {
  std::uint64_t given = 0;
  for (Instant now = kBudgetStart; now < kBudgetStart + 10s;) {
    const std::size_t n = budget.take(now, want);
    given += n;
    if (n == 0) now = std::max(budget.ready_at(now), now + Duration(1));
  }
  return given;
}

TEST(UploadBudget, KeepsItsRateWithinFivePercent) {
  for (const std::uint64_t rate : {8'000u, 50'000u, 10'000'000u}) {
    UploadBudget budget(rate);
    const auto burst = std::max<double>(static_cast<double>(rate) / 4, 16 << 10);
    const auto given = static_cast<double>(given_in_ten_seconds(budget, 64 << 10));
    EXPECT_LE(given, 10.0 * static_cast<double>(rate) + burst) << rate;
    EXPECT_GE(given, 9.5 * static_cast<double>(rate)) << rate;
  }
}

TEST(UploadBudget, SharedByTwoItIsStillOne) {
  UploadBudget budget(100'000);
  std::uint64_t given = 0;
  for (Instant now = kBudgetStart; now < kBudgetStart + 10s; now += 10ms)
    given += budget.take(now, 5'000) + budget.take(now, 5'000);
  EXPECT_LE(given, 1'000'000u + 25'000u);
  EXPECT_GE(given, 950'000u);
}

TEST(UploadBudget, WhatIsGivenBackCanBeTaken) {
  UploadBudget budget(1'000);
  EXPECT_EQ(budget.take(kBudgetStart, 1 << 20), 16u << 10);
  EXPECT_EQ(budget.take(kBudgetStart, 1), 0u);
  budget.give_back(1);
  EXPECT_EQ(budget.take(kBudgetStart, 1), 1u);
}

TEST(UploadBudget, WhatIsOwedIsWaitedFor) {
  UploadBudget budget(4'096);
  budget.take(kBudgetStart, 1 << 20);
  budget.charge(8'192);
  EXPECT_EQ(budget.ready_at(kBudgetStart), kBudgetStart + 3s);
  EXPECT_EQ(budget.take(kBudgetStart + 2s, 1), 0u);
  EXPECT_EQ(budget.take(kBudgetStart + 3s, 1 << 20), 4'096u);
}

TEST(UploadBudget, SaysWhenASliceIsThere) {
  UploadBudget budget(4'096);
  budget.take(kBudgetStart, 1 << 20);
  EXPECT_EQ(budget.ready_at(kBudgetStart), kBudgetStart + 1s);
  EXPECT_EQ(budget.take(kBudgetStart + 1s, 1 << 20), 4'096u);
}

}  // namespace
}  // namespace edgehose
