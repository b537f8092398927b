#include "sinks/directory/directory_tree.h"

#include <fcntl.h>
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

TEST(DirectoryTree, AnEmptyDirectoryThatWaitsForAStickIsToldFromTheStick) {
  const TemporaryDirectory media;
  std::filesystem::create_directories(media / "usb/logs");
  const auto unmounted = [&](const std::string& path, const std::string& place) {
    const auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
    return directory && is_unmounted(directory->get(), place);
  };
  EXPECT_TRUE(unmounted(media / "usb/logs", media.path()));
  EXPECT_TRUE(unmounted(media.path(), media.path()));
  EXPECT_FALSE(unmounted("/proc/self", media.path())) << "another file system";
  EXPECT_FALSE(unmounted("/proc/self", "/proc")) << "mounted on the place itself";

  TmpfsMount stick(media / "usb", "size=1m");
  if (!stick.mounted()) GTEST_SKIP() << "this process may not mount";
  std::filesystem::create_directory(media / "usb/logs");
  EXPECT_FALSE(unmounted(media / "usb/logs", media.path()));
  EXPECT_TRUE(unmounted(media / "usb/logs", media / "usb"))
      << "a tmpfs on the place is the system's";
}

TEST(DirectoryTree, BeforeTheFirstDeliveryAnUnmountedPlaceIsAMissingMedium) {
  const auto mnt = open_file("/mnt", O_RDONLY | O_DIRECTORY);
  if (!mnt || !is_unmounted(mnt->get(), "/mnt")) GTEST_SKIP() << "something is mounted on /mnt";
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("/mnt", directory / "link");
  for (const std::string& path : {std::string("/mnt"), directory / "link"}) {
    BaseProblem problem;
    const auto base = open_base(path, "", problem);
    ASSERT_FALSE(base) << path;
    EXPECT_EQ(problem, BaseProblem::kMissing);
    EXPECT_EQ(base.error().message,
              "nothing is mounted at or above " + path + ": mount the medium, or use another path");
    const auto recorded = filesystem_identity(mnt->get());
    ASSERT_TRUE(recorded);
    EXPECT_TRUE(open_base(path, *recorded, problem)) << "what is recorded decides";
  }
}

TEST(FilesystemIdentity, UuidsDecideWhereBothHaveOne) {
  EXPECT_TRUE(same_filesystem("", "type=ef53 fsid=01"));
  EXPECT_EQ(
      uuid_of_record("S:disk/by-uuid/AB-12\nE:ID_FS_UUID=AB-12\nE:ID_FS_UUID_ENC=AB-12\nG:a\n"),
      "AB-12");
  EXPECT_EQ(uuid_of_record("E:ID_FS_TYPE=vfat\n"), "");
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
