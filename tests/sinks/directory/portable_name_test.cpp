#include "sinks/directory/portable_name.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(PortableName, WhatEveryFileSystemTakesIsLeftAsItIs) {
  for (const char* path : {"", "a/b/", "site=north/2026/11/", "a b/c.d/", "x%3A/", "console/"}) {
    EXPECT_EQ(portable_path(path), path);
    EXPECT_EQ(unportable_part(path), "");
  }
}

TEST(PortableName, WhatSomeRefuseIsEncoded) {
  EXPECT_EQ(portable_path("01:30/"), "01%3A30/");
  EXPECT_EQ(portable_path("a\"*:<>?\\|\x01\x7F/"), "a%22%2A%3A%3C%3E%3F%5C%7C%01%7F/");
  EXPECT_EQ(portable_path("caf\xC3\xA9/"), "caf%C3%A9/");
  EXPECT_EQ(portable_path("a./b /"), "a%2E/b%20/");
  EXPECT_EQ(portable_path("con/LPT1.txt/com/"), "%63on/%4CPT1.txt/com/");
}

TEST(PortableName, LongComponentsAreCutAndStayApart) {
  const std::string a = portable_path(std::string(300, 'x') + "a/"),
                    b = portable_path(std::string(300, 'x') + "b/");
  EXPECT_EQ(a.size(), kMaxPortableBytes + 1);
  EXPECT_NE(a, b);
}

TEST(PortableName, TheBeginningOfANameIsOneToo) {
  EXPECT_EQ(portable_path("a/logs."), "a/logs.") << "more follows";
  EXPECT_EQ(portable_path("a/con-"), "a/con-");
  EXPECT_EQ(portable_path("a/" + std::string(50, 'x'), 16).size(), 2u + 16);
}

TEST(PortableName, SaysWhichPartAndWhy) {
  EXPECT_EQ(unportable_part("a/01:30/x"), "':' in \"01:30\"");
  EXPECT_EQ(unportable_part("a/\xFFz/x"), "the byte 0xFF in \"\xFFz\"");
  EXPECT_EQ(unportable_part("a./x"), "'.' at the end of \"a.\"");
  EXPECT_EQ(unportable_part("nul/x"), "the name of a device, \"nul\"");
}

}  // namespace
}  // namespace edgehose
