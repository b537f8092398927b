#include "agent/config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "agent/run/registry.h"
#include "tests/agent/config/temporary.h"

namespace edgehose {
namespace {

using testing::HasSubstr;

// The page is kept in the tree, so that a change of a field is seen in review.
// EDGEHOSE_UPDATE_GOLDEN=1 writes it anew. It is what `edgehose config reference` prints.
TEST(Reference, IsTheOneThatWasReviewed) {
  const std::string page = reference_page(make_schema());
  const std::string golden = EDGEHOSE_SOURCE_DIR "/tests/agent/config/reference.md";
  if (std::getenv("EDGEHOSE_UPDATE_GOLDEN") != nullptr)
    std::ofstream(golden, std::ios::binary) << page;
  std::ifstream in(golden, std::ios::binary);
  EXPECT_EQ(page, std::string(std::istreambuf_iterator<char>(in), {}));
}

TEST(Reference, IsStable) {
  EXPECT_EQ(reference_page(test_schema()), reference_page(test_schema()));
}

// Loads it, with `optional` also what stands behind a "#KEY = ".
std::string errors_of_example(const ConfigSchema& schema, bool optional) {
  const Environment region("AWS_REGION", nullptr), fallback("AWS_DEFAULT_REGION", nullptr);
  std::string text = example_config(schema);
  for (std::size_t at = 0; optional && (at = text.find("\n#", at)) != std::string::npos; ++at)
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  const TemporaryDirectory directory;
  LoadOptions options;
  options.path = directory.write("edgehose.toml", text);
  options.try_secrets = false;
  const auto loaded = load_config(options, schema);
  return loaded ? "" : text_of(loaded.error().errors, directory.path()) + text;
}

TEST(Example, LoadsOnAnyDevice) { EXPECT_EQ(errors_of_example(make_schema(), false), ""); }
TEST(Example, LoadsWithEveryOptionTakenIn) {
  EXPECT_EQ(errors_of_example(test_schema(), true), "");
}

}  // namespace
}  // namespace edgehose
