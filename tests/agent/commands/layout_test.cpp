#include "agent/commands/layout.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

TEST(Layout, WrapsBeforeColumn80) {
  const std::string text = wrapped(std::string(40, 'a') + " " + std::string(40, 'b') + " c", 4);
  EXPECT_EQ(text, std::string(40, 'a') + "\n    " + std::string(40, 'b') + " c\n");
}

TEST(Layout, AWordThatIsTooLongIsBrokenAPathAtItsSlash) {
  const std::string a(50, 'a'), b(50, 'b');
  EXPECT_EQ(wrapped(a + "/" + b, 2), a + "/\n  " + b + "\n");
  EXPECT_EQ(wrapped(std::string(100, 'a'), 2),
            std::string(77, 'a') + "\n  " + std::string(23, 'a') + "\n");
  EXPECT_EQ(wrapped(std::string(76, 'a') + "é", 2), std::string(76, 'a') + "\n  é\n");
}

TEST(Layout, TerminalsGetNoControlCharacters) {
  EXPECT_EQ(printable("a\033[2Jb\r\n\x7F"), "a?[2Jb???");
  EXPECT_EQ(printable("é"), "é");
}

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
