// bad/NAME.toml gives exactly the messages in bad/NAME.txt. EDGEHOSE_UPDATE_GOLDEN=1 writes them
// anew; read the difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/agent/config/temporary.h"

namespace edgehose {
namespace {

const std::string kDirectory = EDGEHOSE_SOURCE_DIR "/tests/agent/config/bad";

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory))
    if (entry.path().extension() == ".toml") out.push_back(entry.path().stem());
  std::sort(out.begin(), out.end());
  return out;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class BadConfig : public testing::TestWithParam<std::string> {};

TEST_P(BadConfig, GivesExactlyTheseMessages) {
  const Environment unset("EDGEHOSE_TEST_UNSET", nullptr);
  LoadOptions options;
  options.path = kDirectory + "/" + GetParam() + ".toml";
  const auto loaded = load_config(options, test_schema());
  ASSERT_FALSE(loaded) << GetParam() << " loads";
  const std::string messages = text_of(loaded.error().errors, kDirectory);
  const std::string golden = kDirectory + "/" + GetParam() + ".txt";
  if (std::getenv("EDGEHOSE_UPDATE_GOLDEN") != nullptr)
    std::ofstream(golden, std::ios::binary) << messages;
  EXPECT_EQ(messages, content(golden));
  EXPECT_EQ(messages.find("CANARY"), std::string::npos) << "a secret in a message";
}

INSTANTIATE_TEST_SUITE_P(All, BadConfig, testing::ValuesIn(names()),
                         [](const auto& name) { return name.param; });

TEST(BadConfigs, TwentyKindsAtLeast) { EXPECT_GE(names().size(), 20u); }

}  // namespace
}  // namespace edgehose
