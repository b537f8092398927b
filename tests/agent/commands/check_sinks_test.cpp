#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/file.h"
#include "agent/commands/check_report.h"
#include "sinks/directory/directory_config.h"
#include "sinks/directory/filesystem_identity.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What is told of a sink that writes to /tmp, under this unit.
struct SinkSetup {
  std::string path = "/tmp";
  ServiceUnit unit{};
  std::optional<std::uint64_t> buffer = std::nullopt;
  std::string note{};  // that the buffer has of the sink
  std::string data_dir = "/var/lib/edgehose";
  WhenFull when_full = WhenFull::kBlock;
};

struct Found : Findings {
  SinkCheck sink;
};

Found found(const SinkSetup& setup) {
  DirectoryConfig sink;
  sink.common.name = "archive";
  sink.path = setup.path;
  Config config;
  config.agent.data_dir = setup.data_dir;
  config.buffer.max_size = setup.buffer;
  config.buffer.when_full = setup.when_full;
  config.sinks = {{"archive", "directory", {}, sink}};
  StoreCheck store;
  store.notes["archive"] = setup.note;
  ManualClock clock;
  Found findings;
  const auto sinks =
      check_sinks(config, make_sinks(config, "gw"), store, setup.unit, clock, findings);
  findings.sink = sinks.at(0);
  return findings;
}

std::vector<std::string> warnings(const ServiceUnit& unit,
                                  std::optional<std::uint64_t> buffer = std::nullopt) {
  return found({.unit = unit, .buffer = buffer}).warnings;
}

TEST(CheckSinks, WhatTheInstalledUnitForbidsIsTold) {
  const std::string strict = "[Service]\nProtectSystem=strict\n";
  const auto told = warnings({true, strict + "StateDirectory=edgehose\nReadWritePaths=/srv\n"});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("the drop-in directory.conf with ReadWritePaths=-/tmp in it"));
  EXPECT_THAT(told[0], HasSubstr("/usr/share/edgehose/drop-ins/directory.conf"));
  EXPECT_THAT(warnings({true, strict + "ReadWritePaths=/srv /tmp\n"}), IsEmpty());
  EXPECT_THAT(warnings({true, "[Service]\nReadWritePaths=/srv\n"}), IsEmpty())
      << "it forbids nothing";
}

// The service would wait for a person for ever.
TEST(CheckSinks, AnErrorWhereTheUnitRunsThisConfig) {
  const Found findings = found({.unit = {true, "[Service]\nProtectSystem=strict\n", "", true}});
  EXPECT_TRUE(findings.sink.hopeless);
  EXPECT_THAT(findings.warnings, IsEmpty());
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0], HasSubstr("ReadWritePaths=-/tmp"));
}

TEST(CheckSinks, AMediumNeedsTheDropInForMedia) {
  const Found findings = found(
      {.path = "/media/usb/logs", .unit = {true, "[Service]\nProtectSystem=strict\n", "", true}});
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0], HasSubstr("the drop-in media.conf changes that: install"));
}

TEST(CheckSinks, AnotherFileSystemThanBeforeIsAnError) {
  const auto directory = open_file("/tmp", O_PATH | O_DIRECTORY);
  ASSERT_TRUE(directory);
  const auto identity = filesystem_identity(directory->get());
  ASSERT_TRUE(identity);
  EXPECT_THAT(found({.note = *identity}).errors, IsEmpty());
  EXPECT_THAT(found({.note = *identity + " names=portable"}).errors, IsEmpty());
  EXPECT_FALSE(found({.note = *identity}).sink.hopeless);
  const Found other = found({.note = "type=1234 fsid=0123456789abcdef names=portable"});
  EXPECT_TRUE(other.sink.hopeless) << "nothing may be written there, a probe neither";
  ASSERT_EQ(other.errors.size(), 1u);
  EXPECT_THAT(other.errors[0], HasSubstr("/tmp is on another file system than before"));
  EXPECT_THAT(other.errors[0], HasSubstr("edgehose buffer confirm archive --yes"));
}

TEST(CheckSinks, ObjectsAmongTheBuffersFilesAreTold) {
  const Findings findings = found({.data_dir = "/var/../tmp/"});
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0], HasSubstr("its path is data_dir"));
  EXPECT_THAT(found({.data_dir = "/tmp/data"}).warnings, IsEmpty());
}

TEST(CheckSinks, WithoutAUnitNothingIsSaidOfIt) { EXPECT_THAT(warnings({}), IsEmpty()); }

TEST(CheckSinks, ABatchThatTheBufferCannotHoldIsTold) {
  ASSERT_EQ(warnings({}, 8 << 20).size(), 1u);
  EXPECT_THAT(warnings({}, 8 << 20)[0], HasSubstr("batch.max_size (8 MiB) is not below"));
  EXPECT_THAT(warnings({}, 9 << 20), IsEmpty());
}

TEST(CheckSinks, BatchesThatLeaveNothingToDropAreTold) {
  const auto told = [](std::uint64_t buffer, WhenFull policy) {
    return found({.buffer = buffer, .when_full = policy}).warnings;
  };
  ASSERT_EQ(told(16 << 20, WhenFull::kDropOldest).size(), 1u);
  EXPECT_THAT(told(16 << 20, WhenFull::kDropOldest)[0],
              HasSubstr("2 batches of 8 MiB (concurrency, batch.max_size) are not below"));
  EXPECT_THAT(told(17 << 20, WhenFull::kDropOldest), IsEmpty());
  EXPECT_THAT(told(16 << 20, WhenFull::kDropNewest), IsEmpty()) << "it needs nothing to drop";
}

}  // namespace
}  // namespace edgehose
