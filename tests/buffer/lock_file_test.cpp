#include "buffer/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace edgehose {
namespace {

class LockFile : public ::testing::Test {
 protected:
  LockFile() {
    char name[] = "/tmp/edgehose-lock-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~LockFile() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/lock"; }
  std::string directory_;
};

TEST_F(LockFile, ASecondHolderIsToldThePidOfTheFirst) {
  const auto first = take_lock(path());
  ASSERT_TRUE(first);
  const auto second = take_lock(path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_THAT(second.error().message, ::testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(LockFile, AnEarlierHoldersPidIsReplaced) {
  std::ofstream(path()) << "123456789\n";
  ASSERT_TRUE(take_lock(path()));
  std::string pid;
  std::ifstream(path()) >> pid;
  EXPECT_EQ(pid, std::to_string(::getpid()));
  EXPECT_EQ(std::filesystem::file_size(path()), pid.size() + 1);
}

// The pid is only for the message, and this file takes none.
TEST_F(LockFile, AFullDiskIsNoReasonNotToLock) {
  const auto first = take_lock("/dev/full");
  EXPECT_TRUE(first) << first.error().message;
}

// As the kernel does with a process that was killed, a moment after its parent knows.
TEST_F(LockFile, OneThatIsBeingLetGoIsWaitedFor) {
  auto first = take_lock(path());
  ASSERT_TRUE(first);
  std::thread letting_go([held = std::move(*first)]() mutable {
    ::usleep(100'000);
    held.reset();
  });
  EXPECT_TRUE(take_lock(path()));
  letting_go.join();
}

}  // namespace
}  // namespace edgehose
