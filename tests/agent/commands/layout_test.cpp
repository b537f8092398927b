#include "agent/commands/layout.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

TEST(Layout, ClipsToItsWidth) {
  EXPECT_EQ(clipped("archive", 7), "archive");
  EXPECT_EQ(clipped("archives", 7), "archiv~");
}

TEST(Layout, RoughDurations) {
  EXPECT_EQ(rough_duration(12345ms), "12 s");
  EXPECT_EQ(rough_duration(100h + 59s), "4 d 4 h");
}

}  // namespace
}  // namespace edgehose
