// Uploads in parts: what the courier tells intake of them, keeps for the next attempt, gives up.
#include <gmock/gmock.h>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const PartialUpload kUpload{"id", 5, {{"tag", 1}}};

class CourierUploadTest : public CourierTest {
 protected:
  CourierUploadTest() { summary->complete = true; }
  void advance(PartialUpload upload) {
    transport->advances.push_back({transport->sent.at(0).id, std::move(upload)});
    run();
  }
  // The events of an upload that ended in that verdict, one way or another.
  std::vector<CourierEvent> after(const std::string& verdict) {
    make({.concurrency = 1});
    post(1);
    run();
    advance(kUpload);
    outcomes.take();
    answer(verdict);
    return outcomes.take();
  }
};

TEST_F(CourierUploadTest, TellsIntakeHowFarItIs) {
  make();
  post(1);
  run();
  advance(kUpload);
  const auto events = take<Advanced>();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].claim, ClaimId{1});
  EXPECT_EQ(events[0].sink, SinkId{1});
  EXPECT_EQ(events[0].upload, kUpload);
}

// A kill after the last part was put together must not make it begin anew: it asks for what it
// knows, and sees the object.
TEST_F(CourierUploadTest, OneThatIsOverIsKnownUntilItsClaimIsSettled) {
  make();
  post(1);
  run();
  advance(kUpload);
  outcomes.take();
  advance({});
  EXPECT_THAT(outcomes.take(), IsEmpty());
  answer("ok");
  EXPECT_EQ(take<Settled>().size(), 1u);
  EXPECT_THAT(transport->discarded, IsEmpty());
}

TEST_F(CourierUploadTest, TheNextAttemptHasTheBodyThatThePartsAreOf) {
  make();
  post(1);
  run();
  advance(kUpload);
  answer("away");
  advance_to_next();
  ASSERT_EQ(transport->bodies.size(), 2u);
  EXPECT_EQ(transport->bodies[0], transport->bodies[1]);
  EXPECT_THAT(sink->attempted, ElementsAre(false, true));
  summary->changed = true;  // a block of it was damaged meanwhile
  answer("away");
  advance_to_next();
  EXPECT_NE(transport->bodies.at(2), transport->bodies[1]);
}

TEST_F(CourierUploadTest, ABodyThatWasNotReadToItsEndIsMadeAnew) {
  summary->complete = false;
  make();
  post(1);
  run();
  advance(kUpload);
  answer("away");
  advance_to_next();
  EXPECT_NE(transport->bodies.at(1), transport->bodies.at(0));
}

TEST_F(CourierUploadTest, WithoutAnUploadEachAttemptMakesItsOwn) {
  make();
  post(1);
  run();
  answer("away");
  advance_to_next();
  EXPECT_NE(transport->bodies.at(1), transport->bodies.at(0));
}

TEST_F(CourierUploadTest, WhatIsOfAnEarlierLifeWasAttempted) {
  make();
  store.add_block(1, 1, {"one", "two", "three"});
  Claim resumed = claim(1);
  resumed.resumed = true;
  courier->claims().post(resumed);
  run();
  EXPECT_THAT(sink->attempted, ElementsAre(true));
}

TEST_F(CourierUploadTest, AClaimThatGoesAnotherWayDiscardsItsUpload) {
  for (const char* verdict : {"large", "poison", "one bad", "ok"}) {
    EXPECT_EQ(after(verdict).size(), 1u) << verdict;
    EXPECT_THAT(transport->discarded, ElementsAre("key-1 id")) << verdict;
  }
  sink->key_prefix = "other ";
  EXPECT_EQ(after("bad name").size(), 1u);
  EXPECT_THAT(transport->discarded, ElementsAre("key-1 id"));
}

TEST_F(CourierUploadTest, AClaimThatIsKeptKeepsItsUpload) {
  for (const char* verdict : {"away", "denied", "lost"}) {
    after(verdict);
    EXPECT_THAT(transport->discarded, IsEmpty()) << verdict;
  }
}

TEST_F(CourierUploadTest, LeftOverIsWhatIsOursAndOfNoClaim) {
  make();
  post(1);
  run();
  ASSERT_TRUE(transport->leftover);
  store.persisted = {claim(1), claim(2)};
  EXPECT_FALSE(transport->leftover("key-1"));
  EXPECT_FALSE(transport->leftover("key-2")) << "not handed to a courier yet";
  EXPECT_TRUE(transport->leftover("key-3"));
  EXPECT_FALSE(transport->leftover("another program's"));
  store.broken = true;
  EXPECT_FALSE(transport->leftover("key-3")) << "nobody knows";
}

}  // namespace
}  // namespace edgehose
