#include "buffer/epoch.h"

#include <gtest/gtest.h>

#include "tests/buffer/damage_fixture.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

// Two copies of one data_dir on one machine would number their next records alike.
TEST_F(Damage, ACopiedDirectoryDrawsAnotherEpochARenamedOneKeepsIt) {
  make();
  open();
  const Epoch first = store_->epoch();
  store_.reset();
  const std::string original = options_.directory;
  std::filesystem::copy(original, original + "-copy", std::filesystem::copy_options::recursive);
  open();
  EXPECT_EQ(store_->epoch(), first) << "a restart";
  store_.reset();
  std::filesystem::rename(original, original + "-moved");
  options_.directory = original + "-moved";
  open();
  EXPECT_EQ(store_->epoch(), first) << "a rename";
  store_.reset();
  options_.directory = original + "-copy";
  open();
  const Epoch second = store_->epoch();
  EXPECT_NE(second, first);
  EXPECT_EQ(store_->read(blocks().front())->header.epoch, first) << "what was there keeps its own";
  const auto now = append(random_block(lane_.source, 3, 0));
  EXPECT_EQ(store_->read(now.number)->header.epoch, second);
  open();
  EXPECT_EQ(store_->epoch(), second) << "drawn once";
}

// A machine made of files: what its parts say, and which of them can be read.
class Moved : public Damage {
 protected:
  void SetUp() override {
    Damage::SetUp();
    make();
    put_part("etc/machine-id", "a");
    put_part("sys/class/dmi/id/product_uuid", "u");
    put_part("sys/class/net/eth0/address", "02:00:00:00:00:01");
    put_part("sys/class/net/eth0/device", "");
    start_here();  // the store was made on the real machine
    ASSERT_FALSE(start_here());
  }
  void put_part(const std::string& path, const std::string& content) {
    const std::string file = root_ + "/" + path;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << content;
  }
  void hide(const std::string& path) { std::filesystem::remove(root_ + "/" + path); }
  // Whether the epoch was drawn anew.
  bool start_here() {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    auto txn = env->begin_write();
    const std::string before(**txn->get(keyspace::epoch_key()));
    const bool moved = redraw_epoch_if_moved(*txn, options_.directory, root_).value();
    EXPECT_EQ(moved, **txn->get(keyspace::epoch_key()) != before);
    EXPECT_TRUE(txn->commit());
    return moved;
  }
  const std::string root_ = directory_.path() + "/root";
};

TEST_F(Moved, AnotherMachineIdDrawsAnotherEpochOnce) {
  put_part("etc/machine-id", "b");
  EXPECT_TRUE(start_here());
  EXPECT_FALSE(start_here());
}

TEST_F(Moved, AnotherSerialDrawsAnotherEpoch) {
  put_part("sys/class/dmi/id/product_uuid", "v");
  EXPECT_TRUE(start_here());
  put_part("proc/device-tree/serial-number", "1000");
  EXPECT_FALSE(start_here()) << "readable now, and nothing to compare it with";
  put_part("proc/device-tree/serial-number", "2000");
  EXPECT_TRUE(start_here());
}

// Root reads the UUID, the service does not: they take turns on one machine.
TEST_F(Moved, WhatCannotBeReadNowIsNoDifferenceAndStaysKnown) {
  hide("sys/class/dmi/id/product_uuid");
  EXPECT_FALSE(start_here());
  hide("etc/machine-id");
  EXPECT_FALSE(start_here());
  put_part("etc/machine-id", "uninitialized");
  EXPECT_FALSE(start_here()) << "a first boot";
  put_part("etc/machine-id", "a");
  put_part("sys/class/dmi/id/product_uuid", "u");
  EXPECT_FALSE(start_here());
  hide("sys/class/dmi/id/product_uuid");
  EXPECT_FALSE(start_here());
  put_part("sys/class/dmi/id/product_uuid", "v");
  EXPECT_TRUE(start_here()) << "a clone, known by what was read long ago";
}

TEST_F(Moved, ANetworkCardCountsOnlyWhereNothingBetterIsKnown) {
  put_part("sys/class/net/eth0/address", "02:00:00:00:00:02");
  EXPECT_FALSE(start_here()) << "a replaced card";
  hide("sys/class/dmi/id/product_uuid");
  put_part("sys/class/net/eth0/address", "02:00:00:00:00:03");
  EXPECT_TRUE(start_here());
}

TEST_F(Moved, TheLogSaysWhatChangedAndNoSerial) {
  log::set_level(log::Level::kWarn);
  put_part("etc/machine-id", "canary");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(start_here());
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_THAT(logged, HasSubstr("the machine id"));
  EXPECT_THAT(logged, testing::Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace edgehose
