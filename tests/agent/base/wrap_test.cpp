#include "agent/base/wrap.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(Wrap, WrapsBeforeColumn80) {
  const std::string text = wrapped(std::string(40, 'a') + " " + std::string(40, 'b') + " c", 4);
  EXPECT_EQ(text, std::string(40, 'a') + "\n    " + std::string(40, 'b') + " c\n");
}

TEST(Wrap, AWordThatIsTooLongIsBrokenAPathAtItsSlash) {
  const std::string a(50, 'a'), b(50, 'b');
  EXPECT_EQ(wrapped(a + "/" + b, 2), a + "/\n  " + b + "\n");
  EXPECT_EQ(wrapped(std::string(100, 'a'), 2),
            std::string(77, 'a') + "\n  " + std::string(23, 'a') + "\n");
  EXPECT_EQ(wrapped(std::string(76, 'a') + "é", 2), std::string(76, 'a') + "\n  é\n");
}

TEST(Wrap, WordsOfOthersGetNoControlCharacters) {
  EXPECT_EQ(printable("a\033[2Jb\r\n\x7F"), "a?[2Jb???");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "?2J")
      << "the other spelling of ESC [";
  EXPECT_EQ(printable("é\xC2\xA0\xC2"), "é\xC2\xA0\xC2");
}

TEST(Wrap, AWordThatIsCopiedIsKept) {
  const std::string path = "/" + std::string(100, 'a') + "/b";
  EXPECT_EQ(wrapped("see " + path + " or not", 4, LongWords::kKept),
            "see\n    " + path + "\n    or not\n");
}

}  // namespace
}  // namespace edgehose
