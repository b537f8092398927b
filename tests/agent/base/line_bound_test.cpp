#include "agent/base/line_bound.h"

#include <gtest/gtest.h>

#include "agent/base/log.h"

namespace edgehose::log {
namespace {

using namespace std::chrono_literals;

TEST(LineBound, AFloodOfOneKindLeavesTheOtherItsShare) {
  const LineBound::Time start{};
  LineBound bound(6, start);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bound.take(LineBound::Kind::kOrdinary), i < 3);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(bound.take(LineBound::Kind::kEvent), i < 3) << "bounded too";
  EXPECT_EQ(bound.begin_minute(start + 59s), 0);
  EXPECT_EQ(bound.begin_minute(start + 60s), 9);
  EXPECT_EQ(bound.begin_minute(start + 121s), 0) << "told once";
  EXPECT_TRUE(bound.take(LineBound::Kind::kOrdinary));
}

TEST(LineBound, BothKindsTogetherKeepToTheBound) {
  LineBound bound(log::kLinesPerMinute, {});
  int taken = 0;
  for (int i = 0; i < 3 * kLinesPerMinute; ++i)
    taken += bound.take(LineBound::Kind::kOrdinary) + bound.take(LineBound::Kind::kEvent);
  EXPECT_EQ(taken, kLinesPerMinute);
}

TEST(LineBound, WhatWasLeftOutCanBeToldBeforeTheMinuteIsOver) {
  LineBound bound(2, {});
  for (int i = 0; i < 4; ++i) bound.take(LineBound::Kind::kOrdinary);
  EXPECT_EQ(bound.left_out(), 3);
  EXPECT_EQ(bound.left_out(), 0);
  EXPECT_FALSE(bound.take(LineBound::Kind::kOrdinary)) << "it is still the same minute";
}

}  // namespace
}  // namespace edgehose::log
