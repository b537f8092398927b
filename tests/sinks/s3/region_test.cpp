#include "sinks/s3/region.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace edgehose {
namespace {

using Variables = std::map<std::string, std::string>;

std::string region(const S3Bucket& bucket, const Variables& variables,
                   const std::string& profile = "") {
  const aws::Environment environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  return with_region(bucket, profile, environment).region;
}

TEST(Region, IsTheConfigsTheEnvironmentsOrTheUsualOne) {
  const Variables both{{"AWS_REGION", "a"}, {"AWS_DEFAULT_REGION", "b"}};
  EXPECT_EQ(region({"x", "eu-west-1", "", {}}, both), "eu-west-1");
  EXPECT_EQ(region({"x", "", "", {}}, both), "a");
  EXPECT_EQ(region({"x", "", "", {}}, {{"AWS_DEFAULT_REGION", "b"}}), "b");
  EXPECT_EQ(region({"x", "", "http://127.0.0.1:9000", {}}, {}), "us-east-1");
  EXPECT_EQ(region({"x", "", "", {}}, {}), "us-east-1") << "from where S3 tells the right one";
}

TEST(Region, IsTheProfilesOfTheSharedFiles) {
  const std::string path = testing::TempDir() + "region_test.config";
  std::ofstream(path) << "[default]\nregion = eu-north-1\n[profile gw]\nregion=ap-south-1\n";
  const Variables files{{"AWS_CONFIG_FILE", path}};
  EXPECT_EQ(region({"x", "", "", {}}, files), "eu-north-1");
  EXPECT_EQ(region({"x", "", "", {}}, files, "gw"), "ap-south-1");
  EXPECT_EQ(region({"x", "", "", {}}, {{"AWS_CONFIG_FILE", path}, {"AWS_PROFILE", "gw"}}),
            "ap-south-1");
  EXPECT_EQ(region({"x", "", "", {}}, {{"AWS_CONFIG_FILE", path}, {"AWS_REGION", "a"}}), "a");
  std::filesystem::remove(path);
  EXPECT_EQ(region({"x", "", "", {}}, files), "us-east-1");
}

}  // namespace
}  // namespace edgehose
