// What the static build says of a processor (cross/static/own/cpu_model.c) is what this compiler's
// own library says.
#include <gtest/gtest.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <stddef.h>

#define __cpu_model told
#define __cpu_features2 told_further
#define __cpu_indicator_init tell
#include "cross/static/own/cpu_model.c"
#undef __cpu_model
#undef __cpu_features2
#undef __cpu_indicator_init

TEST(CpuModelTest, WhatItSaysIsTrue) {
  __builtin_cpu_init();
  EXPECT_EQ((told.features >> 2 & 1) != 0, __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ((told.features >> 5 & 1) != 0, __builtin_cpu_supports("sse3") != 0);
  EXPECT_EQ((told.features >> 6 & 1) != 0, __builtin_cpu_supports("ssse3") != 0);
  EXPECT_EQ((told.features >> 7 & 1) != 0, __builtin_cpu_supports("sse4.1") != 0);
  EXPECT_EQ((told.features >> 8 & 1) != 0, __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ((told.features >> 18 & 1) != 0, __builtin_cpu_supports("aes") != 0);
  EXPECT_EQ((told.features >> 19 & 1) != 0, __builtin_cpu_supports("pclmul") != 0);
}
#endif
