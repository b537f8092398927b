#include "buffer/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace edgehose {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class FakeMachine : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/edgehose-machine-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    root_ = path;
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << content;
  }
  Machine look(const std::string& directory) { return look_at_machine(directory, root_).value(); }
  Machine look() { return look(root_); }
  std::string root_;
};

TEST_F(FakeMachine, HasThePartsThatCanBeRead) {
  const Machine bare = look();
  EXPECT_TRUE(bare.contains(MachinePart::kFilesystem));
  EXPECT_TRUE(bare.contains(MachinePart::kDirectory));
  EXPECT_EQ(bare.size(), 2u);
  put("/etc/machine-id", "aaaa\n");
  put("/proc/device-tree/serial-number", std::string("10000000abcd\0", 13));
  put("/sys/class/dmi/id/product_uuid", "4c4c\n");
  put("/sys/class/net/eth0/address", "02:00:00:00:00:01\n");
  EXPECT_EQ(look().size(), 5u) << "a bridge's address is no part";
  put("/sys/class/net/eth0/device", "");
  EXPECT_EQ(look().size(), 6u);
  EXPECT_EQ(look(), look());
}

TEST_F(FakeMachine, DiffersByEachPart) {
  put("/etc/machine-id", "aaaa");
  put("/proc/device-tree/serial-number", "1000");
  const Machine first = look();
  EXPECT_THAT(differences(first, look()), IsEmpty());
  put("/etc/machine-id", "bbbb");
  EXPECT_THAT(differences(first, look()), ElementsAre(MachinePart::kMachineId));
  put("/proc/device-tree/serial-number", "2000");
  EXPECT_THAT(differences(first, look()),
              ElementsAre(MachinePart::kMachineId, MachinePart::kDeviceTreeSerial));
}

// Both would number their next records alike.
TEST_F(FakeMachine, TellsACopyBesideTheOriginal) {
  const std::string original = root_ + "/data", copy = root_ + "/copy";
  fs::create_directory(original);
  fs::create_directory(copy);
  const Machine first = look(original);
  EXPECT_THAT(differences(first, look(copy)), ElementsAre(MachinePart::kDirectory));
  fs::rename(original, root_ + "/moved");
  EXPECT_THAT(differences(first, look(root_ + "/moved")), IsEmpty()) << "moved is not copied";
}

TEST(Machine, TheStrongestHardwareThatBothKnowDecides) {
  using enum MachinePart;
  const Machine root{{kDmiUuid, {1}}, {kMacAddress, {2}}}, service{{kMacAddress, {2}}};
  EXPECT_THAT(differences(root, service), IsEmpty());
  EXPECT_THAT(differences(service, root), IsEmpty());
  EXPECT_THAT(differences(root, {{kDmiUuid, {1}}, {kMacAddress, {3}}}), IsEmpty());
  EXPECT_THAT(differences(root, {{kDmiUuid, {9}}, {kMacAddress, {3}}}), ElementsAre(kDmiUuid));
  EXPECT_THAT(differences(root, {{kMacAddress, {3}}}), ElementsAre(kMacAddress));
  EXPECT_THAT(differences({}, root), IsEmpty());
}

}  // namespace
}  // namespace edgehose
