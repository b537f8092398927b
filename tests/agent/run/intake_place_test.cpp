// A buffer that is taken away under the agent.
#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

TEST_F(IntakeTest, ADeletedBufferIsPutBackWithEverythingInIt) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  lines(7);
  run();  // read, pending
  std::filesystem::remove_all(store_options_.directory);
  clock_.advance(seconds(61));
  run();
  EXPECT_EQ(intake_->status().read().displaced, "");
  crash();
  start();
  EXPECT_EQ(lane().committed.records, 107u);
  EXPECT_EQ(store_->file(FileId{1})->value().offset, 100 * 100 + 700);
}

TEST_F(IntakeTest, AMovedBufferIsWaitedForAndNothingIsTakenMeanwhile) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  lines(7);
  const std::string away = store_options_.directory + ".away";
  std::filesystem::rename(store_options_.directory, away);
  clock_.advance(seconds(31));
  run();
  EXPECT_NE(intake_->status().read().displaced.find("moved away"), std::string::npos);
  EXPECT_FALSE(intake_->status().read().nothing_held);
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u) << "what is held goes out at once";
  settle(claims[0]);
  run();
  clock_.advance(std::chrono::minutes(2));
  run();
  EXPECT_TRUE(intake_->status().read().nothing_held);
  EXPECT_FALSE(intake_->status().read().blocked) << "it has room";
  EXPECT_EQ(lane().committed.records, 100u);
  std::filesystem::rename(away, store_options_.directory);
  clock_.advance(seconds(6));
  run();
  EXPECT_EQ(intake_->status().read().displaced, "");
  clock_.advance(seconds(61));
  run();
  EXPECT_EQ(lane().committed.records, 107u);
}

TEST_F(IntakeTest, AMovedBufferIsGivenUpAfterTenMinutesIfItHoldsNothing) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  std::filesystem::rename(store_options_.directory, store_options_.directory + ".away");
  clock_.advance(seconds(31));
  run();
  const auto given_up = [&] { return intake_->status().read().given_up(clock_.now()); };
  clock_.advance(std::chrono::minutes(11));
  run();
  EXPECT_FALSE(given_up()) << "what it holds is not delivered";
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  settle(claims[0]);
  run();
  clock_.advance(std::chrono::minutes(1));
  run();
  EXPECT_TRUE(given_up());
  EXPECT_FALSE(intake_->status().read().given_up(intake_->status().read().displaced_since +
                                                 std::chrono::minutes(10) - seconds(1)));
  std::filesystem::rename(store_options_.directory + ".away", store_options_.directory);
  clock_.advance(seconds(6));
  run();
  EXPECT_FALSE(given_up()) << "it is back";
}

}  // namespace
}  // namespace edgehose
