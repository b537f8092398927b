#include "agent/run/descriptors.h"

#include <gmock/gmock.h>

#include "agent/sources/descriptors.h"
#include "agent/sources/file_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/s3/s3_config.h"

namespace edgehose {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

Config config_of(std::size_t sources, std::uint64_t max_open_files = 64) {
  FileSourceConfig source;
  source.max_open_files = max_open_files;
  Config config;
  for (std::size_t i = 0; i < sources; ++i) config.sources.push_back({"s", "file", {}, source});
  config.sinks = {{"archive", "directory", {}, DirectoryConfig{}}};
  return config;
}

TEST(Descriptors, TheLimitIsRaisedToABoundAndNeverLowered) {
  EXPECT_EQ(descriptor_limit(1024, 524'288), kMostDescriptors);
  EXPECT_EQ(descriptor_limit(64, 64), 64u);
  EXPECT_EQ(descriptor_limit(1024, 4096), 4096u);
  EXPECT_EQ(descriptor_limit(100'000, 524'288), 100'000u);
}

TEST(Descriptors, SinksAndTheBufferAreServedFirst) {
  const auto plan = plan_descriptors(config_of(16), 1024);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(plan->reduced());
  EXPECT_THAT(plan->open_files, Each(plan->open_files[0]));
  EXPECT_GE(plan->open_files[0], 32u);
  EXPECT_GE(plan->reserved, 40u);
  EXPECT_EQ(plan->open_files, share_descriptors(plan->asked, 1024 - plan->reserved));
  EXPECT_THAT(plan->text(), HasSubstr("not 1,024 (max_open_files): raise the limit to 1"));
  EXPECT_FALSE(plan_descriptors(config_of(16), plan->wanted)->reduced());
  EXPECT_TRUE(plan_descriptors(config_of(16), plan->wanted - 1)->reduced());
}

TEST(Descriptors, SixtyFourAreEnoughForASourceAndASinkOfEitherKind) {
  Config config = config_of(1);
  EXPECT_GE(plan_descriptors(config, 64)->open_files[0], 8u);
  config.sinks = {{"cloud", "s3", {}, S3Config{}}};
  EXPECT_GE(plan_descriptors(config, 64)->open_files[0], 4u);
}

TEST(Descriptors, AConfigThatCannotFitIsAnErrorWithTheNumberThatIsEnough) {
  const Config config = config_of(30);
  const auto plan = plan_descriptors(config, 64);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(plan.error().message, HasSubstr("64 file descriptors are too few"));
  EXPECT_THAT(plan.error().message, HasSubstr("LimitNOFILE="));
  EXPECT_FALSE(plan_descriptors(config_of(0), 10));
  EXPECT_TRUE(plan_descriptors(config_of(0), 64));
}

}  // namespace
}  // namespace edgehose
