// What a process hands over to the one that it becomes.
#include "agent/run/reload.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "agent/base/file.h"

namespace edgehose {
namespace {

Handover example() {
  return {{{"/etc/edgehose/edgehose.toml", "[agent]\nid = \"gw\"\n"}, {"/etc/b.toml", ""}},
          {{"/etc/edgehose/edgehose.toml", "# before\n"}},
          {7, "edgehose.toml:3:1: unknown key", WallTime(1'700'000'000'000'000'000)}};
}

int in_memory(const std::string& bytes) {
  const int fd = ::memfd_create("handover", 0);
  EXPECT_TRUE(write_all(fd, bytes, "a file in memory"));
  ::setenv("EDGEHOSE_HANDOVER", std::to_string(fd).c_str(), 1);
  return fd;
}

TEST(Reload, AHandoverComesBackAsItWas) {
  const auto back = parse_handover(to_bytes(example()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, example());
  EXPECT_EQ(parse_handover("{}").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(parse_handover("no JSON").error().code, ErrorCode::kInvalid);
}

TEST(Reload, AHandoverIsTakenOnceAndClosed) {
  EXPECT_EQ(take_handover(), std::nullopt) << "a start";
  const int fd = in_memory(to_bytes(example()));
  EXPECT_EQ(take_handover(), example());
  EXPECT_EQ(::close(fd), -1);
  EXPECT_EQ(errno, EBADF) << "closed already";
  EXPECT_EQ(std::getenv("EDGEHOSE_HANDOVER"), nullptr) << "no child has it";
}

TEST(Reload, WhatCannotBeReadIsAStart) {
  in_memory("{\"config\": 3}");
  EXPECT_EQ(take_handover(), std::nullopt);
  ::setenv("EDGEHOSE_HANDOVER", "2", 1);
  EXPECT_EQ(take_handover(), std::nullopt) << "a standard stream is none";
  EXPECT_GE(::fcntl(STDERR_FILENO, F_GETFD), 0);
}

TEST(Reload, WithoutAConfigBeforeAFailedStartIsTold) {
  EXPECT_EQ(go_back({}, {ErrorCode::kAuth, 0, "no key fits"}).message, "no key fits");
}

}  // namespace
}  // namespace edgehose
