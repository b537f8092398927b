#include "sinks/directory/directory_tree.h"

#include <gtest/gtest.h>

#include "sinks/directory/filesystem_identity.h"
#include "tests/sinks/directory/temporary_directory.h"

namespace edgehose {
namespace {

TEST(DirectoryTree, KnowsWhereMediaAreMounted) {
  EXPECT_TRUE(is_below_mount_points("/media/usb/logs"));
  EXPECT_TRUE(is_below_mount_points("/mnt"));
  EXPECT_TRUE(is_below_mount_points("/run/media/me/stick"));
  EXPECT_FALSE(is_below_mount_points("/mntx/logs"));
  EXPECT_FALSE(is_below_mount_points("/run/mediator"));
  EXPECT_FALSE(is_below_mount_points("/var/log"));
}

TEST(DirectoryTree, ALinkDoesNotHideThatThePlaceIsForMedia) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("/mnt", directory / "link");
  BaseProblem problem;
  EXPECT_FALSE(open_base(directory / "link/edgehose-test", "", problem));
  EXPECT_EQ(problem, BaseProblem::kMissing);
  EXPECT_FALSE(std::filesystem::exists("/mnt/edgehose-test"));
}

TEST(FilesystemIdentity, UuidsDecideWhereBothHaveOne) {
  EXPECT_TRUE(same_filesystem("", "type=ef53 fsid=01"));
  EXPECT_TRUE(same_filesystem("type=4d44 fsid=01 uuid=AB-12", "type=4d44 fsid=02 uuid=AB-12"))
      << "FAT's fsid follows the device's number";
  EXPECT_FALSE(same_filesystem("type=4d44 fsid=01 uuid=AB-12", "type=4d44 fsid=01 uuid=CD-34"))
      << "another stick in the same port";
  EXPECT_TRUE(same_filesystem("type=ef53 fsid=01 uuid=AB", "type=ef53 fsid=01"));
  EXPECT_FALSE(same_filesystem("type=ef53 fsid=01 uuid=AB", "type=ef53 fsid=02"));
  EXPECT_FALSE(same_filesystem("type=ef53 fsid=01", "type=9123 fsid=01"));
}

TEST(FilesystemIdentity, IsTheSameForDirectoriesOfOneFileSystem) {
  const TemporaryDirectory a, b;
  BaseProblem problem;
  const auto first = open_base(a.path(), "", problem);
  const auto second = open_base(b.path(), "", problem);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->filesystem, second->filesystem);
  EXPECT_TRUE(first->filesystem.starts_with("type="));
}

}  // namespace
}  // namespace edgehose
