#include "sinks/delivery/batch_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/config/field.h"
#include "agent/config/load.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Lines {
  std::string name;
};
struct Requests {
  SinkConfig common = request_sink(5ull << 20);
};
struct Objects {
  SinkConfig common;
};

class BatchConfigTest : public testing::Test {
 protected:
  BatchConfigTest() {
    std::string pattern = testing::TempDir() + "/batch-config.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    std::ofstream(directory_ / "c.toml")
        << "[sources.app]\ntype = \"lines\"\n[sinks.search]\ntype = \"requests\"\n[sinks.archive]\ntype = \"objects\"\n";
    schema_.source("lines", "Hands in lines.",
                   config::Fields<Lines>{config::table_name<&Lines::name>()});
    schema_.sink(
        "requests", "Takes records.",
        config::Fields<Requests>{config::include<&Requests::common>(request_sink_fields())});
    schema_.sink("objects", "Takes objects.",
                 config::Fields<Objects>{config::include<&Objects::common>(sink_fields())});
  }
  ~BatchConfigTest() override { std::filesystem::remove_all(directory_); }

  auto load(std::vector<std::string> sets) {
    LoadOptions options;
    options.path = directory_ / "c.toml";
    options.sets = std::move(sets);
    return load_config(options, schema_);
  }
  // Of the sink `search`, which is the first.
  BatchConfig batch(std::vector<std::string> sets) {
    const auto loaded = load(std::move(sets));
    EXPECT_TRUE(loaded) << loaded.error().errors.at(0).text();
    return loaded ? loaded->config.sinks.at(0).as<Requests>().common.batch : BatchConfig{};
  }
  std::string error(std::string set) {
    const auto loaded = load({std::move(set)});
    return loaded ? "" : loaded.error().errors.at(0).message;
  }

  std::filesystem::path directory_;
  ConfigSchema schema_;
};

TEST_F(BatchConfigTest, ABatchOfRequestsIsRipeByItsRawSizeOrInSeconds) {
  EXPECT_EQ(batch({}).max_size, 5u << 20);
  EXPECT_EQ(batch({}).age(), 5s);
  EXPECT_EQ(batch({}).size_key(), "batch.max_raw_size");
  EXPECT_EQ(batch({"sinks.search.batch.max_raw_size=\"1MiB\""}).max_size, 1u << 20);
  EXPECT_EQ(batch({"sinks.search.batch.max_age=\"1m\""}).age(), 1min);
  EXPECT_EQ(BatchConfig{}.age(), 5min) << "of objects";
}

TEST_F(BatchConfigTest, TheSizeThatAnotherTypeHasIsNamed) {
  EXPECT_THAT(error("sinks.search.batch.max_size=\"1MiB\""), HasSubstr("\"max_raw_size\""));
  EXPECT_THAT(error("sinks.archive.batch.max_raw_size=\"1MiB\""), HasSubstr("\"max_size\""));
}

}  // namespace
}  // namespace edgehose
