#include "sinks/events/gzip.h"

#include <gtest/gtest.h>

#include <cstring>

namespace edgehose {
namespace {

TEST(Gzip, IsOneMemberThatUnpacks) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + "\n";
  const auto packed = gzip(text);
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), text.size() / 2);
  std::uint32_t length = 0;  // what a member's end says of all that is in it
  std::memcpy(&length, packed->data() + packed->size() - 4, 4);
  EXPECT_EQ(length, text.size());
  EXPECT_EQ(gunzip(*packed, text.size()), text);
}

TEST(Gzip, UnpacksNoMoreThanAllowed) {
  const auto packed = gzip(std::string(1 << 20, 'x'));
  ASSERT_TRUE(packed);
  const auto unpacked = gunzip(*packed, (1 << 20) - 1);
  ASSERT_FALSE(unpacked);
  EXPECT_EQ(unpacked.error().code, ErrorCode::kFull);
}

TEST(Gzip, WhatCouldBeReadIsKept) {
  const std::string text(1 << 20, 'x');
  const auto packed = gzip(text);
  ASSERT_TRUE(packed);
  std::string out;
  EXPECT_FALSE(gunzip(*packed, 1000, out));
  EXPECT_EQ(out, text.substr(0, 1000));
  out.clear();
  EXPECT_FALSE(gunzip(packed->substr(0, packed->size() - 9), text.size(), out));
  EXPECT_TRUE(out.starts_with("xxx"));
}

TEST(Gzip, WhatIsCutShortIsAnError) {
  const auto packed = gzip("some text that goes on for a while, and on, and on");
  ASSERT_TRUE(packed);
  EXPECT_FALSE(gunzip(packed->substr(0, packed->size() - 9), 1000));
  EXPECT_FALSE(gunzip("<html>", 1000));
}

}  // namespace
}  // namespace edgehose
