#include "agent/sources/tracked_file.h"

#include <gtest/gtest.h>

#include "agent/sources/file_reader.h"

namespace edgehose {
namespace {

TEST(TrackedFile, IsDurableOnlyWhileItIsAsItWasWhenSynced) {
  TrackedFile file;
  file.size = 100;
  file.mtime_ns = 7;
  file.line.begin = 50;
  EXPECT_FALSE(file.durable());  // never synced
  file.durable_size = 100;
  file.durable_mtime_ns = 7;
  EXPECT_TRUE(file.durable());
  file.line.begin = 100;
  EXPECT_TRUE(file.durable());
  file.line.begin = 101;  // it grew after the last look, and that was read too
  EXPECT_FALSE(file.durable());
  file.line.begin = 100;
  file.mtime_ns = 8;  // written again, to the same size
  EXPECT_FALSE(file.durable());
  file.mtime_ns = 7;
  file.size = 120;
  EXPECT_FALSE(file.durable());
}

}  // namespace
}  // namespace edgehose
