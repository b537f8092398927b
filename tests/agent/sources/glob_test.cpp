#include "agent/sources/glob.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

bool matches(const std::string& pattern, const std::string& path) {
  const auto glob = Glob::parse(pattern);
  return glob && glob->matches(path);
}

TEST(Glob, NamesAndDirectories) {
  EXPECT_TRUE(matches("/var/log/*.log", "/var/log/a.log"));
  EXPECT_FALSE(matches("/var/log/*.log", "/var/log/x/a.log"));
  EXPECT_FALSE(matches("/var/log/*.log", "/var/logs/a.log"));
  EXPECT_TRUE(matches("/a/**/*.log", "/a/x.log"));
  EXPECT_TRUE(matches("/a/**/*.log", "/a/b/c/x.log"));
  EXPECT_TRUE(matches("/a/**", "/a/b/c"));
  EXPECT_TRUE(matches("/a/*/c/**/e", "/a/b/c/e"));
  EXPECT_FALSE(matches("/a/*/c/**/e", "/a/c/e"));
  EXPECT_TRUE(matches("/*", "/x"));
}

TEST(Glob, CharactersAndSets) {
  EXPECT_TRUE(matches("/a?c", "/abc"));
  EXPECT_FALSE(matches("/a?c", "/ac"));
  EXPECT_TRUE(matches("/[a-c]x", "/bx"));
  EXPECT_FALSE(matches("/[!a-c]x", "/bx"));
  EXPECT_TRUE(matches("/[]]", "/]"));
  EXPECT_TRUE(matches("/\\*", "/*"));
  EXPECT_FALSE(matches("/\\*", "/x"));
  EXPECT_TRUE(matches("/*a*b*c", "/xxaxxbabc"));
  EXPECT_FALSE(matches("/*a*b*c", "/xxaxxbab"));
}

TEST(Glob, HiddenNamesAreMeantExplicitly) {
  EXPECT_FALSE(matches("/a/*", "/a/.x"));
  EXPECT_TRUE(matches("/a/.*", "/a/.x"));
  EXPECT_FALSE(matches("/a/**/x", "/a/.git/x"));
}

TEST(Glob, TheWalkBeginsAtTheLastPlainDirectory) {
  EXPECT_EQ(Glob::parse("/var/log/*/x.log")->base(), "/var/log");
  EXPECT_EQ(Glob::parse("/var/log/x.log")->base(), "/var/log");
  EXPECT_EQ(Glob::parse("/*.log")->base(), "/");
}

TEST(Glob, WhatCannotBeOneIsRefused) {
  for (const char* bad : {"", "a/b", "/var/log/", "/a[b"}) EXPECT_FALSE(Glob::parse(bad)) << bad;
}

TEST(Glob, ExclusionsMatchNamesOrPaths) {
  EXPECT_TRUE(excluded({"*.gz"}, "/var/log/x.gz"));
  EXPECT_TRUE(excluded({"*.gz"}, "/var/log/.x.gz"));
  EXPECT_FALSE(excluded({"*.gz"}, "/var/x.gz/log"));
  EXPECT_TRUE(excluded({"/var/**/debug/*"}, "/var/a/debug/x"));
  EXPECT_FALSE(excluded({"/var/**/debug/*"}, "/var/a/x"));
}

}  // namespace
}  // namespace edgehose
