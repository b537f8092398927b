#include "agent/commands/service_unit.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/base/file.h"
#include "agent/commands/drop_in.h"

namespace edgehose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class ServiceUnitTest : public ::testing::Test {
 protected:
  ServiceUnitTest() {
    char name[] = "/tmp/edgehose-unit-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~ServiceUnitTest() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(parent_directory(root_ + path));
    std::ofstream(root_ + path) << text;
  }

  std::string root_;
};

// A group that the system lacks would prevent the start: its user is a member of them.
TEST_F(ServiceUnitTest, TheShippedOneNamesNoGroups) {
  const ServiceUnit none = read_service_unit(root_);
  EXPECT_FALSE(none.installed);
  EXPECT_THAT(none.supplementary_groups(), IsEmpty());
  const auto shipped = read_file(EDGEHOSE_UNIT, 64 * 1024);
  ASSERT_TRUE(shipped);
  EXPECT_THAT((ServiceUnit{true, *shipped}.supplementary_groups()), IsEmpty());
  EXPECT_EQ((ServiceUnit{true, *shipped}.user()), "edgehose");
}

TEST_F(ServiceUnitTest, HidesHomesAndTmpUnlessADropInOpensThem) {
  const auto shipped = read_file(EDGEHOSE_UNIT, 64 * 1024);
  ASSERT_TRUE(shipped);
  const ServiceUnit unit{true, *shipped};
  for (const char* path :
       {"/home/app.log", "/root/app.log", "/run/user/1000/a", "/tmp/a.log", "/var/tmp/a.log"})
    EXPECT_TRUE(unit.hides(path)) << path;
  for (const char* path : {"/var/log/syslog", "/homes/a.log", "/run/a.log"})
    EXPECT_FALSE(unit.hides(path)) << path;
  const auto with = [&](const char* drop_in) {
    const auto text = read_file(std::string(EDGEHOSE_DROP_INS) + "/" + drop_in, 64 * 1024);
    return ServiceUnit{true, *shipped + text.value_or("")};
  };
  EXPECT_FALSE(with("home-logs.conf").hides("/home/app.log"));
  EXPECT_FALSE(with("tmp-logs.conf").hides("/tmp/a.log"));
  EXPECT_FALSE(unit.reads_everything());
  EXPECT_TRUE(with("all-logs.conf").reads_everything());
  EXPECT_FALSE(unit.lets_write("/media/usb/logs"));
  EXPECT_TRUE(with("media.conf").lets_write("/media/usb/logs"));
  EXPECT_FALSE(with("media.conf").lets_write("/srv/logs"));
  EXPECT_TRUE(with("directory.conf").lets_write("/srv/logs"));
}

TEST_F(ServiceUnitTest, EachDropInThatIsNamedIsThere) {
  for (const std::string_view name : {kAllLogs, kHomeLogs, kTmpLogs, kMedia, kDirectory})
    EXPECT_TRUE(std::filesystem::exists(fmt::format("{}/{}", EDGEHOSE_DROP_INS, name))) << name;
  EXPECT_EQ(how_to_drop_in(kMedia),
            "the drop-in media.conf changes that: install -D -m 644 -t "
            "/etc/systemd/system/edgehose.service.d /usr/share/edgehose/drop-ins/media.conf, then "
            "systemctl daemon-reload && systemctl restart edgehose");
}

TEST_F(ServiceUnitTest, DropInsAddAndClear) {
  write("/lib/systemd/system/edgehose.service", "[Service]\nSupplementaryGroups=ignored\n");
  write("/usr/lib/systemd/system/edgehose.service", "[Service]\nSupplementaryGroups=adm\n");
  EXPECT_THAT(read_service_unit(root_).supplementary_groups(), ElementsAre("adm"));
  write("/etc/systemd/system/edgehose.service.d/20.conf",
        "[Service]\nSupplementaryGroups=dialout  www-data\n#SupplementaryGroups=no\n");
  EXPECT_THAT(read_service_unit(root_).supplementary_groups(),
              ElementsAre("adm", "dialout", "www-data"));
  write("/etc/systemd/system/edgehose.service.d/10.conf", "[Service]\nSupplementaryGroups=\n");
  EXPECT_THAT(read_service_unit(root_).supplementary_groups(), ElementsAre("dialout", "www-data"));
  EXPECT_THAT(read_service_unit(root_).words("ReadWritePaths"), IsEmpty());
}

TEST_F(ServiceUnitTest, NamesItsUser) {
  const auto unit = [](const std::string& lines) {
    return ServiceUnit{true, "[Service]\n" + lines, ""};
  };
  EXPECT_EQ(read_service_unit(root_).user(), "edgehose") << "no unit: the README's";
  EXPECT_EQ(unit("User=first\nUser=logship\nGroup=logs\n").user(), "logship");
  EXPECT_EQ(unit("User=logship\nGroup=logs\n").group(), "logs");
  EXPECT_EQ(unit("User=logship\n").group(), "");
  EXPECT_EQ(unit("").user(), "root") << "what systemd takes";
  EXPECT_EQ(unit("DynamicUser=yes\n").user(), "edgehose");
  EXPECT_TRUE(unit("DynamicUser=yes\n").makes_user());
  EXPECT_FALSE(unit("User=logship\n").makes_user());
}

TEST_F(ServiceUnitTest, TellsTheFilesOfItsOutput) {
  const auto files = [](const std::string& lines) {
    return ServiceUnit{true, "[Service]\n" + lines, ""}.output_files();
  };
  EXPECT_THAT(files("StandardOutput=append:/var/log/a.log\nStandardError=file:/var/log/b.log\n"),
              ElementsAre("/var/log/a.log", "/var/log/b.log"));
  EXPECT_THAT(files("StandardOutput=truncate:/a\nStandardError=append:/a\n"), ElementsAre("/a"));
  EXPECT_THAT(files("StandardOutput=append:/a\nStandardOutput=journal\n"), IsEmpty());
}

TEST_F(ServiceUnitTest, LetsWriteWhereItIsAllowed) {
  const ServiceUnit unit{true,
                         "[Service]\nProtectSystem=full\nProtectSystem=strict\n"
                         "ReadWritePaths=-/media/usb +/srv/a\nStateDirectory=edgehose\n"
                         "LogsDirectory=shipped:link\n",
                         ""};
  for (const char* path :
       {"/media/usb", "/media/usb/logs", "/srv/a/b", "/var/lib/edgehose/out", "/var/log/shipped"})
    EXPECT_TRUE(unit.lets_write(path)) << path;
  for (const char* path : {"/media", "/srv/ab", "/var/lib/edgehoses", "/run/edgehose"})
    EXPECT_FALSE(unit.lets_write(path)) << path;
  EXPECT_TRUE((ServiceUnit{true, "[Service]\nProtectSystem=full\n", ""}.lets_write("/srv/b")));
  EXPECT_TRUE(ServiceUnit{}.lets_write("/srv/b"));
}

TEST_F(ServiceUnitTest, NamesTheConfigThatItRuns) {
  const auto config = [](const std::string& start) {
    return ServiceUnit{true, "[Service]\nExecStart=" + start + "\n", ""}.config();
  };
  EXPECT_EQ(config("/usr/bin/edgehose run"), "/etc/edgehose/edgehose.toml");
  EXPECT_EQ(config("/usr/bin/edgehose --config /srv/a.toml run"), "/srv/a.toml");
  EXPECT_EQ(config("/usr/bin/edgehose run \"--config=/srv/a b.toml\""), "/srv/a b.toml");
  EXPECT_EQ(config("/a\nExecStart=\nExecStart=/b --config /c"), "/c");
}

TEST_F(ServiceUnitTest, DescriptorsAreLimitedByItsLinesOrBySystemd) {
  EXPECT_EQ(read_service_unit(root_).descriptor_limits(), std::nullopt);
  const auto limits = [](const std::string& line) {
    return ServiceUnit{true, "[Service]\n" + line + "\n", ""}.descriptor_limits();
  };
  EXPECT_EQ(limits("User=edgehose"), (DescriptorLimits{1024, 524'288}));
  EXPECT_EQ(limits("LimitNOFILE=25000"), (DescriptorLimits{25'000, 25'000}));
  EXPECT_EQ(limits("LimitNOFILE=4096\nLimitNOFILE=1024:8192"), (DescriptorLimits{1024, 8192}));
  EXPECT_EQ(limits("LimitNOFILE=infinity"), (DescriptorLimits{UINT64_MAX, UINT64_MAX}));
  EXPECT_EQ(limits("LimitNOFILE=1024:infinity"), (DescriptorLimits{1024, UINT64_MAX}));
}

TEST_F(ServiceUnitTest, MakesItsStateDirectory) {
  const ServiceUnit unit{true, "[Service]\nStateDirectory=edgehose-test other:link\n", ""};
  EXPECT_TRUE(unit.makes("/var/lib/edgehose-test"));
  EXPECT_TRUE(unit.makes("/var/lib/edgehose-test/buffer"));
  EXPECT_TRUE(unit.makes("/var/lib/other"));
  EXPECT_FALSE(unit.makes("/var/lib/edgehose-tests"));
  EXPECT_FALSE(unit.makes("/srv/edgehose-test"));
  EXPECT_FALSE(ServiceUnit{}.makes("/var/lib/edgehose-test"));
  const ServiceUnit runtime{true, "[Service]\nRuntimeDirectory=edgehose-test\n", ""};
  EXPECT_TRUE(runtime.makes("/run/edgehose-test"));
  EXPECT_FALSE(runtime.makes("/var/lib/edgehose-test"));
  const ServiceUnit cache{true, "[Service]\nCacheDirectory=edgehose-test\n", ""};
  EXPECT_FALSE(cache.makes("/var/cache/edgehose-test")) << "no place for a buffer";
}

TEST_F(ServiceUnitTest, WhatItGivesTheServiceAlone) {
  write("/etc/systemd/system/edgehose.service",
        "[Service]\nEnvironment=GONE=1\nEnvironment=\n"
        "Environment=ID=gw-7 \"SITE=plant north\" LINE='a b'  HOST=%H\n"
        "EnvironmentFile=-/etc/default/edgehose\nEnvironmentFile=-/etc/missing\n"
        "LoadCredential=bk:/etc/keys/bk\nLoadCredentialEncrypted=s3\n");
  write("/etc/systemd/system/edgehose.service.d/10.conf",
        "[Service]\nSetCredential=token:one two\n");
  write("/etc/default/edgehose", "# SITE=no\nID=\"gw-8\"\nEMPTY=\n");
  const ServiceGrants grants = read_service_unit(root_).grants();
  EXPECT_THAT(grants.variables, ElementsAre(Pair("EMPTY", ""), Pair("ID", "gw-8"),
                                            Pair("LINE", "a b"), Pair("SITE", "plant north")));
  EXPECT_THAT(grants.credentials, ElementsAre("bk", "s3", "token"));
}

}  // namespace
}  // namespace edgehose
