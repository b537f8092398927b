#include "buffer/device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/base/file.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;

// A file system root of our own, with as much of /sys, /proc and /etc as a test puts there.
class FakeRoot : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/edgehose-device-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    root_ = path;
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << content;
  }
  // A disk at a path of /sys/devices, found by its number.
  void disk(const std::string& number, const std::string& device) {
    fs::create_directories(root_ + "/sys/devices/" + device);
    fs::create_directories(root_ + "/sys/dev/block");
    fs::create_symlink(root_ + "/sys/devices/" + device, root_ + "/sys/dev/block/" + number);
  }
  StorageProfile profile(unsigned major, unsigned minor) {
    return find_device(major, minor, root_).profile;
  }

  std::string root_;
};

TEST_F(FakeRoot, APartitionIsJudgedByItsDisk) {
  disk("179:2", "platform/mmc0/block/mmcblk0/mmcblk0p2");
  put("/sys/devices/platform/mmc0/block/mmcblk0/mmcblk0p2/partition", "2\n");
  const Device card = find_device(179, 2, root_);
  EXPECT_EQ(card.profile, StorageProfile::kSdCard);
  EXPECT_EQ(card.disk, "mmcblk0");
  EXPECT_EQ(card.reason, "mmcblk0 is an SD card or eMMC");

  disk("259:1", "pci/nvme/nvme0/nvme0n1/nvme0n1p1");
  put("/sys/devices/pci/nvme/nvme0/nvme0n1/nvme0n1p1/partition", "1\n");
  EXPECT_EQ(find_device(259, 1, root_).disk, "nvme0n1");
  EXPECT_EQ(profile(259, 1), StorageProfile::kSsd);
}

TEST_F(FakeRoot, DisksOfEveryKind) {
  disk("8:0", "pci/ata1/block/sda");
  put("/sys/devices/pci/ata1/block/sda/queue/rotational", "0\n");
  EXPECT_EQ(profile(8, 0), StorageProfile::kSsd);
  disk("8:16", "pci/usb1/1-1/block/sdb");
  EXPECT_EQ(profile(8, 16), StorageProfile::kSdCard);
  disk("8:32", "pci/usb1/1-2/block/sdc");
  put("/sys/devices/pci/usb1/1-2/block/sdc/queue/rotational", "0\n");
  put("/sys/devices/pci/usb1/1-2/block/sdc/queue/discard_granularity", "4096\n");
  EXPECT_EQ(profile(8, 32), StorageProfile::kSsd);
  put("/sys/devices/pci/usb1/1-2/block/sdc/removable", "1\n");
  EXPECT_EQ(profile(8, 32), StorageProfile::kSdCard);
  disk("254:0", "virtual/block/vda");
  EXPECT_EQ(profile(254, 0), StorageProfile::kSsd);
  disk("252:0", "virtual/block/zram0");
  EXPECT_EQ(profile(252, 0), StorageProfile::kSsd);
  disk("43:0", "virtual/block/nbd0");
  EXPECT_EQ(profile(43, 0), StorageProfile::kSdCard);  // unknown: gentle
  EXPECT_EQ(profile(99, 99), StorageProfile::kSdCard);
}

TEST_F(FakeRoot, MappingsAreFollowedToTheirDisk) {
  disk("179:1", "platform/block/mmcblk1");
  disk("253:0", "virtual/block/dm-0");
  fs::create_directories(root_ + "/sys/devices/virtual/block/dm-0/slaves");
  fs::create_symlink(root_ + "/sys/devices/platform/block/mmcblk1",
                     root_ + "/sys/devices/virtual/block/dm-0/slaves/mmcblk1");
  EXPECT_EQ(find_device(253, 0, root_).disk, "mmcblk1");
}

TEST_F(FakeRoot, BytesWrittenAreCountedBySector) {
  put("/sys/class/block/sda/stat", "  10 0 80 5 20 0 4000 7 0 12 12\n");
  EXPECT_EQ(bytes_written({StorageProfile::kSsd, "sda", ""}, root_), 4000u * 512);
  EXPECT_EQ(bytes_written({StorageProfile::kSsd, "sdb", ""}, root_), std::nullopt);
  EXPECT_EQ(bytes_written({}, root_), std::nullopt);
}

TEST_F(FakeRoot, JournalIntervalIsExt4sOwnOrTheMounts) {
  struct stat st {};
  ASSERT_EQ(::stat(root_.c_str(), &st), 0);
  const auto mounted = [&](const std::string& what) {
    put("/proc/self/mountinfo",
        fmt::format("30 1 {}:{} / /data rw - {}\n", major(st.st_dev), minor(st.st_dev), what));
    return journal_interval(root_, root_);
  };
  EXPECT_EQ(mounted("ext4 /dev/sda1 rw"), std::chrono::seconds(5));
  EXPECT_EQ(mounted("ext4 /dev/sda1 rw,commit=300,errors=continue"), std::chrono::seconds(300));
  EXPECT_EQ(mounted("xfs /dev/sda1 rw,commit=300"), std::nullopt);
  EXPECT_EQ(journal_interval("/nowhere/at/all", root_), std::nullopt);
}

TEST(Filesystems, RemoteOnesAreKnownByMagic) {
  EXPECT_TRUE(is_remote(0x6969));
  EXPECT_TRUE(is_remote(0xFF534D42));
  EXPECT_TRUE(is_remote(0x01021997));
  EXPECT_FALSE(is_remote(0xEF53));
  EXPECT_FALSE(is_remote(0x12345));  // unknown is not refused
  EXPECT_EQ(filesystem_name(0xEF53), "ext4");
  EXPECT_TRUE(refuse_unfit("/tmp"));
  for (const char* path : {"/proc", "/proc/self", "/sys"}) {
    const Status refused = refuse_unfit(path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find("local disk"), std::string::npos);
  }
  EXPECT_EQ(refuse_unfit("/nowhere/at/all").error().code, ErrorCode::kNotFound);
}

TEST_F(FakeRoot, SpaceAndIdentityOfARealFileSystem) {
  const auto space = disk_space(root_);
  ASSERT_TRUE(space);
  EXPECT_GT(space->size, 0u);
  EXPECT_LE(space->free, space->size);
  const auto id = filesystem_id(root_);
  ASSERT_TRUE(id);
  EXPECT_NE(*id, 0u);
  EXPECT_EQ(*filesystem_id("/tmp"), *id);
  EXPECT_NE(*filesystem_id("/proc"), *id);
}

TEST_F(FakeRoot, PunchingKeepsSizeAndReadsZeros) {
  put("/file", std::string(1 << 20, 'x'));
  auto fd = open_file(root_ + "/file", O_RDWR);
  ASSERT_TRUE(fd);
  ::fsync(fd->get());
  const auto before = allocated_bytes(fd->get());
  const auto punched = punch(fd->get(), 64 << 10, 512 << 10);
  ASSERT_TRUE(punched);
  if (!*punched) GTEST_SKIP() << "this file system cannot";
  EXPECT_LT(*allocated_bytes(fd->get()), *before);
  char c = 'y';
  ASSERT_EQ(::pread(fd->get(), &c, 1, 100 << 10), 1);
  EXPECT_EQ(c, '\0');
  EXPECT_EQ(fs::file_size(root_ + "/file"), 1u << 20);
}

}  // namespace
}  // namespace edgehose
