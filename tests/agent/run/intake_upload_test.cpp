// How far an upload in parts has come: persisted with commits that come anyway.
#include "tests/agent/run/intake_fixture.h"

namespace edgehose {
namespace {

class IntakeUploadTest : public IntakeTest {
 protected:
  void advance(const Claim& claim, std::size_t parts) {
    PartialUpload upload{"id", 5, std::vector<UploadPart>(parts, UploadPart{"tag", 7})};
    intake_->inbox().post(Advanced{claim.lane.sink, claim.id, std::move(upload)});
    run();
  }
  std::size_t parts_in_store() { return store_->claims()->at(0).upload.parts.size(); }
  std::uint64_t commits() { return intake_->status().read().commits; }
};

TEST_F(IntakeUploadTest, APartMakesNoCommitAndRidesTheNext) {
  start_with_a_ripe_batch();
  const Claim claim = claims_.take().at(0);
  const std::uint64_t before = commits();
  for (std::size_t n = 1; n <= 20; ++n) advance(claim, n);
  EXPECT_EQ(commits(), before);
  lines(10);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(parts_in_store(), 20u) << "the last of them";
}

TEST_F(IntakeUploadTest, AloneItWaitsAsLongAsAnAcknowledgement) {
  start_with_a_ripe_batch();
  const Claim claim = claims_.take().at(0);
  const std::uint64_t before = commits();
  for (std::size_t n = 1; n <= 9; ++n) {
    advance(claim, n);
    clock_.advance(seconds(3));
    run();
  }
  EXPECT_EQ(parts_in_store(), 0u);
  clock_.advance(seconds(30));
  run();
  EXPECT_EQ(parts_in_store(), 9u);
  EXPECT_EQ(commits(), before + 1);
}

TEST_F(IntakeUploadTest, AClaimOfAnEarlierLifeComesWithIt) {
  start_with_a_ripe_batch();
  advance(claims_.take().at(0), 3);
  ASSERT_TRUE(intake_->stop());
  crash();
  start();
  const std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].upload.id, "id");
  EXPECT_EQ(resumed[0].upload.parts.size(), 3u);
}

TEST_F(IntakeUploadTest, WhatIsSettledOrCannotBeKeptStopsNothing) {
  start_with_a_ripe_batch();
  const Claim claim = claims_.take().at(0);
  advance(claim, kMaxUploadParts + 1);
  settle(claim);
  advance(claim, 2);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_TRUE(store_->claims()->empty());
  EXPECT_EQ(lane().delivered.records, 10u);
}

// It makes no room: records are not tried more often for it.
TEST_F(IntakeUploadTest, InAFullBufferAPartIsNoReasonToTryRecordsAgain) {
  store_options_.max_size = 2 << 20;
  start_with_a_ripe_batch();
  const Claim claim = claims_.take().at(0);
  dense_lines(100'000);
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  const unsigned before = source_->aborts;
  for (std::size_t n = 1; n <= 60; ++n) {
    advance(claim, n);
    clock_.advance(seconds(1));
    run();
  }
  EXPECT_TRUE(intake_->status().read().blocked);
  EXPECT_EQ(parts_in_store(), 60u);
  EXPECT_LE(source_->aborts - before, 13u) << "every 5 s";
}

TEST_F(IntakeUploadTest, WhatIsCutAnewBeginsAnew) {
  start_with_a_ripe_batch();
  const Claim claim = claims_.take().at(0);
  advance(claim, 2);
  intake_->inbox().post(Halve{claim.lane.sink, claim.id, 0});
  run();
  const std::vector<Claim> halves = claims_.take();
  ASSERT_EQ(halves.size(), 2u);
  for (const Claim& half : halves) EXPECT_FALSE(half.upload);
}

}  // namespace
}  // namespace edgehose
