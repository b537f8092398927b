// Credentials over time: renewal, outages, refusals.
#include "sinks/aws/keeper.h"

#include "sinks/aws/time.h"
#include "tests/sinks/aws/world.h"

namespace edgehose::aws {
namespace {

using namespace std::chrono_literals;
using test::metadata_json;
using test::World;

class KeeperTest : public testing::Test {
 protected:
  void serve(const std::string& expires, const std::string& id) {
    world_.answers = {{200, "token"}, {200, "role"}, {200, metadata_json(expires, id)}};
  }
  // Carries out whatever is asked now; how many questions that were.
  int settle() {
    int asked = 0;
    while (const Ask* ask = keeper().next(now_, wall_)) {
      keeper().answer(world_.answer(*ask), now_, wall_);
      ++asked;
    }
    return asked;
  }
  void advance(Duration by) {
    now_ += by;
    wall_ = WallTime(wall_.value + by.count());
  }
  std::string usable() {
    const Credentials* keys = keeper().usable(wall_);
    return keys == nullptr ? "" : keys->access_key_id;
  }
  CredentialKeeper& keeper() {
    if (!keeper_) keeper_.emplace(config_, "", world_.environment(), 1);
    return *keeper_;
  }

  World world_;
  CredentialsConfig config_;
  std::optional<CredentialKeeper> keeper_;
  Instant now_{Duration(1h)};
  WallTime wall_ = *parse_time("2026-01-01T00:00:00Z");
};

TEST_F(KeeperTest, RenewsAheadOfTheEnd) {
  serve("2026-01-01T06:00:00Z", "ASIA1");
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "ASIA1");
  advance(5h + 39min);
  EXPECT_EQ(settle(), 0);
  serve("2026-01-01T12:00:00Z", "ASIA2");
  advance(6min);  // 15 minutes before the end at the latest
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "ASIA2");
}

TEST_F(KeeperTest, ShortLivesAreNotRenewedAllTheTime) {
  serve("2026-01-01T00:15:00Z", "ASIA1");
  settle();
  advance(10min);
  EXPECT_EQ(settle(), 0);
}

TEST_F(KeeperTest, OldOnesServeWhileRenewalIsUnderWay) {
  serve("2026-01-01T06:00:00Z", "ASIA1");
  settle();
  advance(5h + 50min);
  ASSERT_NE(keeper().next(now_, wall_), nullptr);
  EXPECT_EQ(usable(), "ASIA1");
}

// Static stability: instances go on through an outage of their metadata service.
TEST_F(KeeperTest, CredentialsOfInstancesOutliveAnOutage) {
  serve("2026-01-01T06:00:00Z", "ASIA1");
  settle();
  advance(7h);
  EXPECT_GT(settle(), 0);  // nobody answers
  ASSERT_TRUE(keeper().failure());
  EXPECT_EQ(usable(), "ASIA1");
}

TEST_F(KeeperTest, OtherCredentialsEndWithTheirTime) {
  config_.process = "x";
  world_.command_answer = {.output = R"({"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"s",)"
                                     R"("Expiration":"2026-01-01T01:00:00Z"})"};
  settle();
  world_.command_answer = {.exit_code = 1};
  advance(50min);
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "ASIA1");
  advance(10min);
  EXPECT_EQ(usable(), "");
}

TEST_F(KeeperTest, ExpiredOnesOfAnInstanceAreTakenAndAskedForAgainLater) {
  serve("2025-12-31T23:00:00Z", "ASIA1");
  settle();
  EXPECT_EQ(usable(), "ASIA1");
  advance(4min);
  EXPECT_EQ(settle(), 0);
  advance(6min);
  EXPECT_GT(settle(), 0);
}

CommandAnswer printed(const std::string& id, const std::string& expires) {
  return {.output = R"({"Version":1,"AccessKeyId":")" + id + R"(","SecretAccessKey":"s",)" +
                    R"("Expiration":")" + expires + R"("})"};
}

// Only the server can tell whether they are, or this machine's clock is ahead.
TEST_F(KeeperTest, FreshOnesThatSeemExpiredAreUsedUntilTheServerSaysOtherwise) {
  config_.process = "x";
  world_.command_answer = printed("ASIA1", "2025-12-31T01:00:00Z");
  settle();
  EXPECT_EQ(usable(), "ASIA1");
  EXPECT_TRUE(keeper().refused(now_));
  EXPECT_EQ(usable(), "");
}

TEST_F(KeeperTest, OnceTheTimeIsRightTheyAreRenewedAheadOfTheirEnd) {
  config_.process = "x";
  world_.command_answer = printed("ASIA1", "2025-12-31T01:00:00Z");
  settle();
  wall_ = *parse_time("2025-12-31T00:00:00Z");  // an answer has told
  world_.command_answer = printed("ASIA2", "2025-12-31T02:00:00Z");
  advance(10min);
  settle();
  EXPECT_EQ(usable(), "ASIA2");
}

TEST_F(KeeperTest, GoodOnesAreNotGivenUpForOnesThatHaveExpired) {
  config_.process = "x";
  world_.command_answer = printed("ASIA1", "2026-01-01T01:00:00Z");
  settle();
  world_.command_answer = printed("ASIA0", "2025-12-31T23:00:00Z");
  advance(50min);
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "ASIA1");
}

// STS refuses what is signed with a wrong time, and its refusal tells the right one.
TEST_F(KeeperTest, ASearchThatTellsTheTimeIsRepeatedAtOnceAndOnce) {
  config_.process = "x";
  world_.command_answer = {.exit_code = 1};
  const auto fail_at_another_time = [&] {
    const Ask* ask = keeper().next(now_, wall_);
    if (ask == nullptr) return false;
    wall_ = WallTime(wall_.value + Duration(24h).count());
    keeper().answer(world_.answer(*ask), now_, wall_);
    return true;
  };
  EXPECT_TRUE(fail_at_another_time());
  EXPECT_TRUE(fail_at_another_time()) << "at once";
  EXPECT_FALSE(fail_at_another_time()) << "whatever two servers say of the time";
  EXPECT_GE(keeper().again() - now_, 1s);
}

TEST_F(KeeperTest, ASlowSearchIsNoOtherTime) {
  config_.process = "x";
  world_.command_answer = {.exit_code = 1};
  const Ask* ask = keeper().next(now_, wall_);
  ASSERT_NE(ask, nullptr);
  advance(10min);
  keeper().answer(world_.answer(*ask), now_, wall_);
  EXPECT_EQ(settle(), 0);
}

TEST_F(KeeperTest, FailuresAreFollowedByAPauseOfBoundedLength) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_GT(settle(), 0);
    EXPECT_GE(keeper().again() - now_, 1s);
    EXPECT_LE(keeper().again() - now_, 5min);
    EXPECT_EQ(settle(), 0);
    advance(keeper().again() - now_);
  }
}

TEST_F(KeeperTest, FilesThatChangeAreSeen) {
  world_.variables["HOME"] = "/h";
  std::string& file = world_.files["/h/.aws/credentials"];
  file = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n";
  settle();
  file = "[default]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n";
  advance(30s);
  EXPECT_EQ(settle(), 0);
  advance(30s);
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "AKIA2");
}

TEST_F(KeeperTest, ARefusalIsFollowedByOneSearch) {
  serve("2026-01-01T06:00:00Z", "ASIA1");
  settle();
  EXPECT_TRUE(keeper().refused(now_));
  EXPECT_EQ(usable(), "");
  serve("2026-01-01T06:00:00Z", "ASIA2");
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "ASIA2");
  advance(4min);
  EXPECT_FALSE(keeper().refused(now_));
  EXPECT_EQ(usable(), "ASIA2");
}

// Of credentials without an end only a refusal tells that they have ended, each time.
TEST_F(KeeperTest, ALaterRefusalIsFollowedByAnotherSearch) {
  config_.process = "x";
  for (const std::string id : {"ASIA1", "ASIA2", "ASIA3"}) {
    world_.command_answer = {.output = R"({"Version":1,"AccessKeyId":")" + id +
                                       R"(","SecretAccessKey":"s"})"};
    EXPECT_EQ(settle(), 1);
    EXPECT_EQ(usable(), id);
    advance(5min);
    EXPECT_TRUE(keeper().refused(now_));
  }
}

TEST_F(KeeperTest, RefusedOnesAreNotUsedThroughAnOutage) {
  serve("2026-01-01T06:00:00Z", "ASIA1");
  settle();
  EXPECT_TRUE(keeper().refused(now_));
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(usable(), "");
}

}  // namespace
}  // namespace edgehose::aws
