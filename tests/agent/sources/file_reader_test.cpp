#include "agent/sources/file_reader.h"

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

class FileReaderTest : public FileSourceTest {};

// A file was deleted, and the one created in its place got its inode number: it begins alike.
TEST_F(FileReaderTest, AnInodeNumberGivenAgainIsAnotherFile) {
  append("a.log", "# header\n");
  TrackedFile file;
  file.path = path("a.log");
  file.identity = identity_of(StatCache().path(file.path).value(), "# header\n");
  FileReader reader(config, clock);
  EXPECT_EQ(reader.visit(file, out), VisitEnd::kAtEnd);
  append("a.log", "of the new file\n");
  reader.close(file);
  file.identity.birth_ns -= 1;
  EXPECT_EQ(reader.visit(file, out), VisitEnd::kMoved);
  EXPECT_EQ(out.got.size(), 1u);
}

// Renamed from one source's glob into another's: both readers point to it.
TEST_F(FileReaderTest, WhatTwoReadersPointToIsNotForgottenWhenOneLetsGo) {
  TrackedFile file, other;
  for (TrackedFile* f : {&file, &other}) {
    f->path = path(f == &file ? "a.log" : "b.log");
    append(f == &file ? "a.log" : "b.log", "x\n");
    f->identity = identity_of(StatCache().path(f->path).value(), "");
  }
  FileReader one(config, clock), two(config, clock);
  ASSERT_TRUE(one.descriptor(file) && two.descriptor(file));
  two.close(file);
  ASSERT_TRUE(one.descriptor(other));
  EXPECT_EQ(file.open_lists, 1) << "the second one";
  ASSERT_TRUE(two.descriptor(other));
  EXPECT_EQ(file.open_lists, 0);
}

}  // namespace
}  // namespace edgehose::testing
