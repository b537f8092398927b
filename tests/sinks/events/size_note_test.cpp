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
  EXPECT_EQ(noted_size_limit(*note_too_large("", 10)), 16u << 10) << "of something else";
}

}  // namespace
}  // namespace edgehose
