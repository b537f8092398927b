#include "agent/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace edgehose {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() : directory_(testing::TempDir() + "file.XXXXXX") {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  }
  ~FileTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(FileTest, ReplaceLeavesTheNewContentAndNoTemporary) {
  const std::string path = directory_ + "/f";
  ASSERT_TRUE(replace_file(path, "one", 0640));
  ASSERT_TRUE(replace_file(path, "two", 0640));
  EXPECT_EQ(*read_file(path, 100), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(FileTest, ErrorsNameThePathAndTheCause) {
  const auto missing = read_file(directory_ + "/nowhere", 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("/nowhere: No such file"), std::string::npos);
  ASSERT_TRUE(replace_file(directory_ + "/long", std::string(50, 'x'), 0600));
  EXPECT_EQ(read_file(directory_ + "/long", 49).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(read_file(directory_ + "/long", 50));
}

TEST_F(FileTest, DirectoriesAreMadeWithTheirParents) {
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c", 0750));
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c", 0750));
  EXPECT_TRUE(std::filesystem::is_directory(directory_ + "/a/b/c"));
  ASSERT_TRUE(replace_file(directory_ + "/plain", "", 0600));
  EXPECT_FALSE(make_directories(directory_ + "/plain/x", 0750));
}

TEST_F(FileTest, NothingIsWrittenThroughASymlink) {
  const std::string victim = directory_ + "/victim";
  ASSERT_TRUE(replace_file(victim, "kept", 0600));
  for (const char* name : {"/link", "/f.tmp"})
    std::filesystem::create_symlink(victim, directory_ + name);
  for (const int flags : {O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT, O_RDWR}) {
    const auto opened = open_file(directory_ + "/link", flags);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("symlink; remove it"), std::string::npos);
  }
  EXPECT_FALSE(replace_file(directory_ + "/f", "x", 0600));
  EXPECT_EQ(*read_file(directory_ + "/link", 100), "kept");
}

TEST_F(FileTest, ALinkThatLeadsNowhereIsAName) {
  const std::string link = directory_ + "/nowhere";
  EXPECT_FALSE(name_exists(link));
  ASSERT_EQ(::symlink("missing", link.c_str()), 0);
  EXPECT_TRUE(name_exists(link));
  EXPECT_TRUE(name_exists(directory_));
}

TEST_F(FileTest, WhatRootMakesBelongsToTheDirectorysOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: only root gives files away";
  ASSERT_EQ(::chown(directory_.c_str(), 12345, 12345), 0);
  ASSERT_TRUE(replace_file(directory_ + "/f", "x", 0600));
  ASSERT_TRUE(make_directories(directory_ + "/a/b", 0750));
  for (const char* name : {"/f", "/a", "/a/b"}) {
    struct stat st {};
    ASSERT_EQ(::stat((directory_ + name).c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 12345u) << name;
  }
}

TEST(ParentDirectory, OfEveryShape) {
  EXPECT_EQ(parent_directory("/a/b"), "/a");
  EXPECT_EQ(parent_directory("/a/b/"), "/a");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("/"), "/");
  EXPECT_EQ(parent_directory("a"), ".");
  EXPECT_EQ(parent_directory("a/b"), "a");
  EXPECT_EQ(parent_directory(""), ".");
}

}  // namespace
}  // namespace edgehose
