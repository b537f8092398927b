#include "agent/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace edgehose {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::kInvalid, "{} is odd", n);
  return n / 2;
}
Result<int> quarter(int n) {
  EH_ASSIGN(const int h, half(n));
  return half(h);
}
Status only_even(int n) {
  EH_TRY(half(n));
  return {};
}

TEST(Result, ValuesAndErrorsPassThrough) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(only_even(2));
  EXPECT_EQ(only_even(3).error().code, ErrorCode::kInvalid);
}

TEST(Result, ContextGoesInFront) {
  EXPECT_EQ(std::move(half(3).error()).with_context("halving").message, "halving: 3 is odd");
}

TEST(Result, ErrnoBecomesACodeAndAMessage) {
  EXPECT_EQ(errno_error(ENOENT, "opening x").message, "opening x: No such file or directory");
  EXPECT_EQ(errno_error(ENOENT, "x").code, ErrorCode::kNotFound);
  EXPECT_EQ(errno_error(EACCES, "x").code, ErrorCode::kPermission);
  EXPECT_EQ(errno_error(ENOSPC, "x").code, ErrorCode::kFull);
  EXPECT_EQ(errno_error(EROFS, "x").code, ErrorCode::kIo);
  EXPECT_EQ(errno_error(EROFS, "x").sys, EROFS);
}

}  // namespace
}  // namespace edgehose
