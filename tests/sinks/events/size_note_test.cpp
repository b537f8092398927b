#include "sinks/events/size_note.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(SizeNote, RemembersHalfOfWhatWasTooLarge) {
  EXPECT_EQ(noted_size_limit(""), std::nullopt);
  EXPECT_EQ(noted_size_limit("region=eu-west-1 of=x"), std::nullopt);
  EXPECT_EQ(noted_size_limit("max_raw_size=12x"), std::nullopt);
  const auto note = note_too_large("", 1'000'000);
  ASSERT_TRUE(note);
  EXPECT_EQ(noted_size_limit(*note), 500'000u);
  EXPECT_EQ(noted_size_limit(*note_too_large(*note, 500'000)), 250'000u);
  EXPECT_EQ(note_too_large(*note, 2'000'000), std::nullopt) << "it is known to be less";
  EXPECT_EQ(noted_size_limit(*note_too_large("", 20'000)), 16u << 10);
  EXPECT_EQ(note_too_large("", 4'000), std::nullopt) << "not of its size";
}

TEST(SizeNote, WhatIsTakenShowsThatTheLimitIsHigher) {
  const std::string note = *note_too_large("", 1'000'000);
  EXPECT_EQ(note_taken(note, 500'000), std::nullopt);
  EXPECT_EQ(noted_size_limit(*note_taken(note, 800'000)), 800'000u);
  EXPECT_EQ(note_taken("", 800'000), std::nullopt);
}

}  // namespace
}  // namespace edgehose
