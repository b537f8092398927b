#include "agent/base/process.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(OwnProgram, IsTheFileThatRuns) {
  struct stat own {
  }, running{};
  ASSERT_EQ(::stat(own_program().c_str(), &own), 0);
  ASSERT_EQ(::stat("/proc/self/exe", &running), 0);
  EXPECT_EQ(own.st_ino, running.st_ino);
  EXPECT_EQ(own.st_dev, running.st_dev);
}

TEST(OwnProgram, IsNamedByItsPath) {
  EXPECT_TRUE(own_program().ends_with("_test")) << own_program();
}

TEST(ArgumentList, EndsWithANullPointer) {
  std::vector<std::string> words{"edgehose", "", "run"};
  const std::vector<char*> list = argument_list(words);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_STREQ(list[0], "edgehose");
  EXPECT_STREQ(list[1], "");
  EXPECT_STREQ(list[2], "run");
  EXPECT_EQ(list[3], nullptr);
}

TEST(ArgumentList, OfNothingIsTheNullPointerAlone) {
  std::vector<std::string> none;
  ASSERT_EQ(argument_list(none).size(), 1u);
}

}  // namespace
}  // namespace edgehose
