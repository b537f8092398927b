#include "agent/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config/reference.h"
#include "agent/sources/file_config.h"
#include "sinks/directory/directory_config.h"
#include "tests/agent/config/temporary.h"

namespace edgehose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kSmall = R"(
[sources.app]
type = "file"
paths = ["/var/log/app/*.log"]
[sinks.archive]
type = "directory"
path = "/media/usb/logs"
)";

class LoadTest : public testing::Test {
 protected:
  LoadedConfig load(std::vector<std::string> sets = {}) {
    auto loaded = try_load(std::move(sets));
    if (!loaded) {
      ADD_FAILURE() << text_of(loaded.error().errors, directory.path());
      return {};
    }
    return std::move(*loaded);
  }
  std::string errors(std::vector<std::string> sets = {}) {
    const auto loaded = try_load(std::move(sets));
    return loaded ? "no error" : text_of(loaded.error().errors, directory.path());
  }
  tl::expected<LoadedConfig, ConfigErrors> try_load(std::vector<std::string> sets) {
    LoadOptions options;
    options.path = directory.path() + "/edgehose.toml";
    options.sets = std::move(sets);
    return load_config(options, test_schema());
  }
  void main_file(const std::string& content) { directory.write("edgehose.toml", content); }
  std::string origin(const LoadedConfig& loaded, const std::string& path) {
    for (const Setting& setting : loaded.settings)
      if (setting.path == path) return text_of({{{}, setting.origin.text()}}, directory.path());
    return "no such setting";
  }

  TemporaryDirectory directory;
};

const DirectoryConfig& archive(const LoadedConfig& loaded) {
  return loaded.config.sinks.at(0).as<DirectoryConfig>();
}

TEST_F(LoadTest, TheConfigOfTheQuickStart) {
  const Environment unset("GATEWAY_ID", nullptr);
  const std::string key = directory.write("buffer.key", "0123456789abcdef");
  main_file(R"([agent]
id       = "${GATEWAY_ID:-gw-0042}"
data_dir = "/var/lib/edgehose"
labels   = { site = "north", line = "7" }
timezone = "UTC"
[buffer]
max_size  = "512MiB"
when_full = "block"
storage   = "auto"
encryption_keys = [{ file = ")" +
            key + R"(" }]
[sources.app]
type     = "file"
paths    = ["/var/log/app/**/*.log"]
exclude  = ["*.gz"]
[sinks.archive]
type        = "directory"
inputs      = ["app"]
path        = "/media/usb/logs"
prefix      = "site=!{label:site}/!{timestamp:yyyy/MM/dd/HH}/"
compression = "zstd"
batch       = { max_size = "8MiB", max_age = "5m" }
encrypt     = { age = ["age1..."] }
)");
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.config.agent.id, "gw-0042");
  EXPECT_EQ(loaded.config.agent.data_dir, "/var/lib/edgehose");
  EXPECT_EQ(loaded.config.agent.labels.at("line"), "7");
  EXPECT_EQ(loaded.config.buffer.max_size, 512ull << 20);
  EXPECT_EQ(loaded.config.buffer.encryption_keys.at(0).read()->reveal(), "0123456789abcdef");
  ASSERT_EQ(loaded.config.sources.size(), 1u);
  const auto& app = loaded.config.sources[0].as<FileSourceConfig>();
  EXPECT_EQ(app.name, "app");
  EXPECT_THAT(app.paths, ElementsAre("/var/log/app/**/*.log"));
  EXPECT_THAT(app.exclude, ElementsAre("*.gz"));
  ASSERT_EQ(loaded.config.sinks.size(), 1u);
  EXPECT_EQ(loaded.config.sinks[0].type, "directory");
  const DirectoryConfig& sink = archive(loaded);
  EXPECT_EQ(sink.common.name, "archive");
  EXPECT_THAT(sink.common.inputs, ElementsAre("app"));
  EXPECT_EQ(sink.common.batch.max_size, 8ull << 20);
  EXPECT_EQ(sink.common.batch.max_age, 5min);
  EXPECT_EQ(sink.path, "/media/usb/logs");
  EXPECT_EQ(sink.object.prefix, "site=!{label:site}/!{timestamp:yyyy/MM/dd/HH}/");
  EXPECT_THAT(sink.object.age_recipients, ElementsAre("age1..."));
  EXPECT_TRUE(loaded.warnings.empty());
}

TEST_F(LoadTest, WhatIsLeftOutIsTheStructsDefault) {
  main_file(kSmall);
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.config.agent.id, "");
  EXPECT_EQ(loaded.config.buffer.max_size, std::nullopt);
  EXPECT_EQ(archive(loaded).common.batch.max_age, BatchConfig{}.max_age);
  EXPECT_EQ(origin(loaded, "sinks.archive.batch.max_age"), "default\n");
  EXPECT_EQ(origin(loaded, "sinks.archive.path"), "edgehose.toml:7:8\n");
}

TEST_F(LoadTest, FilesBesideAreLaidOnTopInTheOrderOfTheirNames) {
  main_file(std::string(kSmall) + "batch = { max_size = \"1MiB\", max_age = \"1m\" }\n");
  directory.write("conf.d/20-later.toml", "[sinks.archive]\npath = \"/mnt/later\"\n");
  directory.write("conf.d/10-first.toml",
                  "[sinks.archive]\npath = \"/mnt/first\"\nbatch = { max_age = \"2m\" }\n"
                  "[sources.app]\npaths = [\"/var/log/other.log\"]\n[sources.more]\n"
                  "type = \"file\"\npaths = [\"/var/log/more.log\"]\n");
  directory.write("conf.d/30-not-read.conf", "nonsense");
  directory.write("conf.d/.hidden.toml", "nonsense");
  const LoadedConfig loaded = load();
  EXPECT_EQ(archive(loaded).path, "/mnt/later");
  EXPECT_EQ(archive(loaded).common.batch.max_size, 1u << 20) << "tables merge";
  EXPECT_EQ(archive(loaded).common.batch.max_age, 2min);
  EXPECT_THAT(loaded.config.sources.at(0).as<FileSourceConfig>().paths,
              ElementsAre("/var/log/other.log"))
      << "lists replace";
  EXPECT_EQ(loaded.config.sources.at(1).name, "more");
  EXPECT_EQ(loaded.files.size(), 3u);
  EXPECT_EQ(origin(loaded, "sinks.archive.path"), "conf.d/20-later.toml:2:8\n");
  EXPECT_EQ(origin(loaded, "sinks.archive.batch.max_size"), "edgehose.toml:8:22\n");
  EXPECT_EQ(origin(loaded, "sinks.archive.batch.max_age"), "conf.d/10-first.toml:3:21\n");
}

TEST_F(LoadTest, AReferenceToASecretIsOneValue) {
  const std::string id = directory.write("id", "gw-from-file\n");
  main_file("[agent]\nid = { file = \"/nonexistent\" }\n" + std::string(kSmall));
  directory.write("conf.d/1.toml", "[agent]\nid = { file = \"" + id + "\" }\n");
  EXPECT_EQ(load().config.agent.id, "gw-from-file");
}

TEST_F(LoadTest, ErrorsOfEveryFileInOneRunInTheirOrder) {
  main_file(std::string(kSmall) + "nope = 1\n");
  directory.write("conf.d/1.toml", "[agent]\nnope = 1\n");
  const std::string both = errors({"buffer.nope=1"});
  EXPECT_THAT(both, HasSubstr("edgehose.toml:8:1: unknown key \"nope\" in [sinks.archive]"));
  EXPECT_LT(both.find("edgehose.toml:8:1"), both.find("conf.d/1.toml:2:1"));
  EXPECT_LT(both.find("conf.d/1.toml:2:1"), both.find("--set buffer.nope: unknown key"));
}

TEST_F(LoadTest, SetTakesPlainTextAndToml) {
  main_file(kSmall);
  const LoadedConfig loaded =
      load({"sinks.archive.path=/mnt/x y", "buffer.max_size=1GiB", "agent.id=42",
            "sinks.archive.concurrency = 4", "sources.app.exclude=[\"*.tmp\"]",
            "sinks.archive.batch.max_age=\"90s\"", "agent.labels.line=7", "agent.labels.site=a=b",
            "sinks.archive.prefix="});
  EXPECT_EQ(archive(loaded).path, "/mnt/x y");
  EXPECT_EQ(loaded.config.buffer.max_size, 1ull << 30);
  EXPECT_EQ(loaded.config.agent.id, "42");
  EXPECT_EQ(archive(loaded).common.concurrency, 4u);
  EXPECT_THAT(loaded.config.sources[0].as<FileSourceConfig>().exclude, ElementsAre("*.tmp"));
  EXPECT_EQ(archive(loaded).common.batch.max_age, 90s);
  EXPECT_EQ(loaded.config.agent.labels.at("line"), "7");
  EXPECT_EQ(loaded.config.agent.labels.at("site"), "a=b");
  EXPECT_EQ(origin(loaded, "buffer.max_size"), "--set buffer.max_size\n");
}

TEST_F(LoadTest, TheLaterSetWins) {
  main_file(kSmall);
  directory.write("conf.d/1.toml", "[sinks.archive]\npath = \"/mnt/0\"\n");
  EXPECT_EQ(archive(load({"sinks.archive.path=/mnt/1", "sinks.archive.path=/mnt/2"})).path,
            "/mnt/2");
}

TEST_F(LoadTest, SetSaysWhatIsWrongWithIt) {
  main_file(kSmall);
  EXPECT_EQ(errors({"agent.id"}),
            "--set agent.id: expected KEY=VALUE, for instance sinks.archive.path=/mnt/logs\n");
  EXPECT_THAT(errors({"agent id=1"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(errors({"=1"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(errors({"[agent]\nid=1"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(errors({"#agent.id=1"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_EQ(errors({"sinks.archive.batch.max_age=5"}),
            "--set sinks.archive.batch.max_age: max_age: expected a duration such as \"5m\", got "
            "the integer 5\n");
  EXPECT_EQ(errors({"sinks.archiv.path=/x"})
                .find("--set sinks.archiv.path: [sinks.archiv] needs \"type\""),
            0u);
  EXPECT_THAT(errors({"sinks.archiv.path=/x"}), HasSubstr("; did you mean [sinks.archive]?"));
  EXPECT_THAT(errors({"sinks.other.path=/x"}), Not(HasSubstr("did you mean")));
}

TEST_F(LoadTest, VariablesAsAShellHasThem) {
  const Environment given("EDGEHOSE_TEST_A", "north");
  const Environment empty("EDGEHOSE_TEST_EMPTY", "");
  const Environment unset("EDGEHOSE_TEST_UNSET", nullptr);
  main_file(std::string(kSmall) + R"([agent.labels]
plain    = "${EDGEHOSE_TEST_A}"
twice    = "${EDGEHOSE_TEST_A}-${EDGEHOSE_TEST_A}"
empty    = "x${EDGEHOSE_TEST_EMPTY}"
unset    = "${EDGEHOSE_TEST_UNSET:-south}"
is_empty = "${EDGEHOSE_TEST_EMPTY:-south}"
given    = "${EDGEHOSE_TEST_A:-south}"
nothing  = "x${EDGEHOSE_TEST_UNSET:-}"
dollar   = "$${EDGEHOSE_TEST_A}"
lone     = "5 $ a $x$"
literal  = '${EDGEHOSE_TEST_UNSET:-a b:-c}'
)");
  const auto labels = load().config.agent.labels;
  EXPECT_EQ(labels.at("plain"), "north");
  EXPECT_EQ(labels.at("twice"), "north-north");
  EXPECT_EQ(labels.at("empty"), "x");
  EXPECT_EQ(labels.at("unset"), "south");
  EXPECT_EQ(labels.at("is_empty"), "south");
  EXPECT_EQ(labels.at("given"), "north");
  EXPECT_EQ(labels.at("nothing"), "x");
  EXPECT_EQ(labels.at("dollar"), "${EDGEHOSE_TEST_A}");
  EXPECT_EQ(labels.at("lone"), "5 $ a $x$");
  EXPECT_EQ(labels.at("literal"), "a b:-c");
}

TEST_F(LoadTest, ExpandedTextIsNotExpandedAgain) {
  const Environment tricky("EDGEHOSE_TEST_A", "${EDGEHOSE_TEST_B}$$");
  main_file(std::string(kSmall) + "[agent.labels]\na = \"${EDGEHOSE_TEST_A}\"\n");
  EXPECT_EQ(load().config.agent.labels.at("a"), "${EDGEHOSE_TEST_B}$$");
}

TEST_F(LoadTest, AnUndefinedVariableThatIsReplacedDoesNotMatter) {
  const Environment unset("EDGEHOSE_TEST_UNSET", nullptr);
  main_file("[agent]\nid = \"${EDGEHOSE_TEST_UNSET}\"\n" + std::string(kSmall));
  EXPECT_EQ(load({"agent.id=gw-1"}).config.agent.id, "gw-1");
  EXPECT_THAT(
      errors(),
      HasSubstr("edgehose.toml:2:6: the environment variable EDGEHOSE_TEST_UNSET is not set"));
}

TEST_F(LoadTest, WhatTheServiceAloneGetsIsAWarning) {
  const Environment id("EDGEHOSE_TEST_ID", nullptr), credentials("CREDENTIALS_DIRECTORY", nullptr);
  main_file(
      "[agent]\nid = \"${EDGEHOSE_TEST_ID:-gw}\"\n"
      "[buffer]\nencryption_keys = [{ credential = \"bk\" }]\n" +
      std::string(kSmall));
  LoadOptions options;
  options.path = directory.path() + "/edgehose.toml";
  options.service = {{{"EDGEHOSE_TEST_ID", "gw-7"}}, {"bk"}};
  const auto loaded = load_config(options, test_schema());
  ASSERT_TRUE(loaded) << text_of(loaded.error().errors, directory.path());
  EXPECT_EQ(loaded->config.agent.id, "gw-7");
  ASSERT_EQ(loaded->warnings.size(), 2u);
  EXPECT_THAT(loaded->warnings[0].text(), HasSubstr("toml:2:6: the environment variable"));
  EXPECT_THAT(loaded->warnings[1].text(),
              HasSubstr("toml:4:20: encryption_keys: the unit gives { credential = \"bk\" } to the "
                        "service alone"));
  options.service.credentials.clear();
  EXPECT_FALSE(load_config(options, test_schema())) << "nobody has it";
}

TEST_F(LoadTest, AMissingVariableMayLeaveAValueAtItsDefault) {
  const Environment unset("EDGEHOSE_TEST_UNSET", nullptr);
  main_file(
      "[buffer]\nwhen_full = \"${EDGEHOSE_TEST_UNSET}\"\n"
      "[sources.app]\ntype = \"file\"\npaths = [\"${EDGEHOSE_TEST_UNSET}/*.log\"]\n"
      "[sinks.archive]\ntype = \"directory\"\npath = \"${EDGEHOSE_TEST_UNSET}\"\n");
  LoadOptions options;
  options.path = directory.path() + "/edgehose.toml";
  EXPECT_FALSE(load_config(options, test_schema()));
  options.need_variables = false;
  const auto loaded = load_config(options, test_schema());
  ASSERT_TRUE(loaded) << text_of(loaded.error().errors, directory.path());
  EXPECT_FALSE(loaded->whole);
  EXPECT_EQ(loaded->config.sinks.size(), 1u);
  EXPECT_EQ(loaded->warnings.size(), 3u);
}

TEST_F(LoadTest, AMissingFileIsNamed) {
  EXPECT_THAT(errors(), HasSubstr("edgehose.toml: No such file or directory"));
}

TEST_F(LoadTest, BoundsOnWhatIsRead) {
  main_file(std::string(kSmall) + "#" + std::string(config::kMaxFileBytes, 'x'));
  EXPECT_THAT(errors(), HasSubstr("longer than"));
  main_file(kSmall);
  for (std::size_t i = 0; i <= config::kMaxFiles; ++i)
    directory.write("conf.d/" + std::to_string(i) + ".toml", "");
  EXPECT_THAT(errors(), HasSubstr("at most 256 are read"));
}

TEST_F(LoadTest, TheSamePathInTwoSourcesIsAWarning) {
  main_file(std::string(kSmall) +
            "[sources.again]\ntype = \"file\"\npaths = [\"/var/log/app/*.log\"]\n");
  const LoadedConfig loaded = load();
  ASSERT_EQ(loaded.warnings.size(), 1u);
  EXPECT_THAT(loaded.warnings[0].text(),
              HasSubstr(":10:10: paths: \"/var/log/app/*.log\" is read by [sources.app] alone"));
}

TEST_F(LoadTest, NamesAndWhatTheyAreTogether) {
  main_file(std::string(kSmall) + "[sinks.other]\ntype = \"directory\"\npath = \"/mnt\"\n");
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.config.sinks.at(1).name, "other");
  EXPECT_EQ(loaded.config.sinks.at(1).as<DirectoryConfig>().common.name, "other");
  EXPECT_EQ(loaded.config.sinks.at(1).origin.line, 8u);
}

TEST_F(LoadTest, EachEntryOfATableOfStringsHasItsPlace) {
  main_file("[agent]\nlabels = { site = \"north\", line = \"1\" }\n" + std::string(kSmall));
  directory.write("conf.d/10.toml", "[agent]\nlabels = { line = \"7\", a-b = \"x\" }\n");
  const LoadedConfig loaded = load({"agent.labels.rack=3"});
  EXPECT_EQ(origin(loaded, "agent.labels.site"), "edgehose.toml:2:19\n");
  EXPECT_EQ(origin(loaded, "agent.labels.line"), "conf.d/10.toml:2:19\n");
  EXPECT_EQ(origin(loaded, "agent.labels.a-b"), "conf.d/10.toml:2:30\n");
  EXPECT_EQ(origin(loaded, "agent.labels.rack"), "--set agent.labels.rack\n");
  EXPECT_EQ(origin(loaded, "agent.labels"), "no such setting");
}

TEST_F(LoadTest, TheEffectiveConfigShowsValuesAndPlaces) {
  main_file("[buffer]\nmax_size = \"64MiB\"\n" + std::string(kSmall));
  const std::string shown = effective_config(load({"agent.id=gw-1"}).settings);
  EXPECT_THAT(shown, HasSubstr("agent.id = \"gw-1\" "));
  EXPECT_THAT(shown, HasSubstr("# --set agent.id\n"));
  EXPECT_THAT(shown, HasSubstr("buffer.max_size = \"64MiB\" "));
  EXPECT_THAT(shown, HasSubstr("edgehose.toml:2:12\n"));
  EXPECT_THAT(shown, HasSubstr("sinks.archive.batch.max_size = \"8MiB\" "));
  EXPECT_THAT(shown, HasSubstr("sinks.archive.batch.max_age is unset: 5m "));
  EXPECT_THAT(shown, HasSubstr("sinks.archive.inputs is unset: every source "));
  EXPECT_THAT(shown, HasSubstr("agent.labels is unset: none "));
}

}  // namespace
}  // namespace edgehose
