// What the loader tells of the real sources and sinks: every error in one run, each at its key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/config/load.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

class ConfigErrorsTest : public ::testing::Test {
 protected:
  ConfigErrorsTest() {
    char name[] = "/tmp/edgehose-errors-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~ConfigErrorsTest() override { std::filesystem::remove_all(root_); }

  // The errors as lines, with the directory taken out.
  std::string errors(const std::string& toml, std::vector<std::string> sets = {}) {
    std::ofstream(root_ + "/c.toml") << toml;
    const auto loaded = load_config({root_ + "/c.toml", std::move(sets), true}, make_schema());
    std::string out;
    if (!loaded)
      for (const config::Problem& problem : loaded.error().errors) out += problem.text() + "\n";
    for (std::size_t at; (at = out.find(root_ + "/")) != std::string::npos;)
      out.erase(at, root_.size() + 1);
    return out;
  }
  std::string warnings(const std::string& toml) {
    std::ofstream(root_ + "/c.toml") << toml;
    const auto loaded = load_config({root_ + "/c.toml", {}, true}, make_schema());
    std::string out;
    if (loaded)
      for (const config::Problem& problem : loaded->warnings)
        out += problem.text().substr(root_.size() + 1) + "\n";
    return out;
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name) << text;
  }
  std::string root_;
};

constexpr char kGood[] = R"([sources.app]
type = "file"
paths = ["/var/log/app/*.log"]
[sinks.archive]
type = "directory"
path = "/srv/logs"
)";

TEST_F(ConfigErrorsTest, AllOfThemInOneRunEachAtItsKey) {
  EXPECT_EQ(
      errors(R"([agent]
timezone = "Europe/Berln"
labels = { site = "north" }
bufer = 1
[sources.app]
type = "file"
paths = ["/var/log/[a/*.log", "/var/log/b/*.log", "/var/log/c/", "relative"]
exclude = ["*.tmp", "[x"]
[sinks.archive]
type = "directory"
path = "/srv/logs"
prefix = "%Y/"
compression = "gzip"
compression_level = 12
concurrency = 99
encrypt = { age = ["ssh-ed25519 AAAA", "age1qqqqqqqqqqqqqqqqqqqqqq"] }
[sinks.second]
type = "directory"
path = "/srv/second"
prefix = "!{label:sitee}/"
[sinks.third]
type = "directory"
path = "/srv/third"
prefix = "!{timestamp:yyyy"
)"),
      R"text(c.toml:2:12: timezone: "Europe/Berln" is not in this system's tzdata: check the spelling ("Europe/Berlin", "UTC") or install the package tzdata
c.toml:4:1: unknown key "bufer" in [agent]; known keys: id, data_dir, labels, timezone, log_level, status_socket, max_upload_rate, metered
c.toml:7:10: paths: the glob '/var/log/[a/*.log' has a '[' without its ']'
c.toml:7:51: paths: the path '/var/log/c/' names a directory: write '/var/log/c/*.log', or '/var/log/c/**' for all files below it
c.toml:7:66: paths: must be an absolute path: a service has no directory of its own
c.toml:8:21: exclude: the glob '[x' has a '[' without its ']'
c.toml:12:10: prefix: %Y is strftime's spelling: write !{timestamp:yyyy}
c.toml:14:21: compression_level: gzip has the levels 1 to 9; zstd goes to 19
c.toml:15:15: concurrency: must be between 1 and 16, got 99
c.toml:16:20: age: must be an age X25519 public key ("age1...")
c.toml:16:40: age: recipient "age1qqqqqqqqqqqqqqqqqqqqqq": its checksum does not fit: a character was changed or lost, copy it again
c.toml:20:10: prefix: !{label:sitee}: no such label: did you mean !{label:site}?
c.toml:24:10: prefix: the expression !{timestamp:yyyy is not closed: its } is missing
)text");
}

TEST_F(ConfigErrorsTest, AreToldAtTheSetThatMadeThem) {
  EXPECT_EQ(
      errors(kGood, {"sinks.archive.prefix=%Y/"}),
      "--set sinks.archive.prefix: prefix: %Y is strftime's spelling: write !{timestamp:yyyy}\n");
}

TEST_F(ConfigErrorsTest, GzipHasNineLevels) {
  const std::string gzip = std::string(kGood) + "compression = \"gzip\"\n";
  EXPECT_EQ(errors(gzip + "compression_level = 9\n"), "");
  EXPECT_EQ(errors(gzip + "compression_level = 10\n"),
            "c.toml:8:21: compression_level: gzip has the levels 1 to 9; zstd goes to 19\n");
}

TEST_F(ConfigErrorsTest, ATextWithoutQuotesIsToldToHaveThem) {
  EXPECT_THAT(errors("[sources.app]\ntype = file\n"),
              ::testing::HasSubstr("c.toml:2:9: not valid TOML: "));
  EXPECT_THAT(errors("[sources.app]\ntype = file\n"),
              ::testing::EndsWith(" (a text stands in quotes: \"file\")\n"));
  EXPECT_THAT(errors("[sources.app]\npaths = [ /var/log/*.log ]\n"),
              ::testing::EndsWith(" (a text stands in quotes: \"/var/log/*.log\")\n"));
  EXPECT_THAT(errors("[sources.app]\npoll_interval = 10s\n"),
              ::testing::EndsWith(" (a text stands in quotes: \"10s\")\n"));
  EXPECT_THAT(errors("[sources.app]\ntype = \u201cfile\u201d\n"),
              ::testing::EndsWith(" (a text stands in quotes of ASCII: \" and not \u201c)\n"));
  EXPECT_THAT(errors("[sources.app]\nmax_open_files = 1 2\n"),
              ::testing::Not(::testing::HasSubstr("quotes")));
}

TEST_F(ConfigErrorsTest, AnExpressionWithoutItsMarkIsWarnedOf) {
  EXPECT_EQ(warnings(std::string(kGood) + "prefix = \"{timestamp:yyyy}/!{timestamp:MM}/\"\n"),
            "c.toml:7:10: prefix: {timestamp:...} is no expression, it stands in names as it is: "
            "write !{timestamp:...}\n");
}

std::string encrypted_to(const std::string& key) {
  return "encrypt = { age = [\"" + key + "\"] }\n";
}
constexpr char kKey[] = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
constexpr char kOtherKey[] = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

TEST_F(ConfigErrorsTest, SinksThatWouldOverwriteEachOthersObjects) {
  const std::string second =
      std::string(kGood) + "[sinks.second]\ntype = \"directory\"\npath = \"/srv/logs\"\n";
  EXPECT_EQ(errors(second), "") << "the same objects";
  EXPECT_EQ(errors(second + encrypted_to(kKey)), "") << "another extension";
  const std::string third = second + encrypted_to(kKey) +
                            "[sinks.third]\ntype = \"directory\"\n"
                            "path = \"/srv//logs/\"\nprefix = \"!{timestamp:yyyy/MM/dd/HH}/\"\n";
  EXPECT_EQ(errors(third + encrypted_to(kKey)), "") << "the same objects";
  const std::string other = third + encrypted_to(kOtherKey);
  EXPECT_EQ(
      errors(other),
      "c.toml:11:1: [sinks.third] and [sinks.second] (c.toml:7:1) give their objects the same "
      "names at the same place, encrypted for different readers: one would overwrite the other; "
      "give one of them another path or prefix\n");
  EXPECT_EQ(errors(other, {"sinks.third.prefix=third/"}), "");
  const std::string apart =
      "inputs = [\"b\"]\n[sources.b]\ntype = \"file\"\npaths = [\"/var/log/b/*.log\"]\n";
  EXPECT_EQ(errors(other + apart, {"sinks.second.inputs=[\"app\"]"}), "")
      << "an object's name has its source";
}

TEST_F(ConfigErrorsTest, KeysOfTheS3EncryptionClientAreTried) {
  write("short", "0123456789abcdef");
  write("aes", std::string(32, 'k'));
  ASSERT_EQ(std::system(("cd " + root_ +
                         " && openssl genpkey -algorithm RSA -out secret.pem 2>/dev/null && "
                         "openssl pkey -in secret.pem -pubout -out public.pem")
                            .c_str()),
            0);
  const auto with = [&](const std::string& key, const std::string& file) {
    return "[sources.app]\ntype = \"file\"\npaths = [\"/var/log/app/*.log\"]\n"
           "[sinks.a]\ntype = \"s3\"\nbucket = \"logs\"\nregion = \"eu-west-1\"\n"
           "encrypt = { s3ec = { " +
           key + " = { file = \"" + root_ + "/" + file + "\" } } }\n";
  };
  EXPECT_EQ(errors(with("aes_key", "aes")), "");
  EXPECT_EQ(errors(with("rsa_public_key", "public.pem")), "");
  EXPECT_THAT(errors(with("aes_key", "short")),
              ::testing::HasSubstr("c.toml:8:32: aes_key: it must hold 32 bytes"));
  EXPECT_THAT(errors(with("rsa_public_key", "secret.pem")),
              ::testing::HasSubstr("rsa_public_key: it is a private key"));
  EXPECT_THAT(errors(with("rsa_public_key", "aes")),
              ::testing::HasSubstr("rsa_public_key: it is no public key in PEM"));
  EXPECT_THAT(errors(with("rsa_public_key", "none.pem")),
              ::testing::HasSubstr("rsa_public_key: secret not read"));
  const std::string much = "metadata = { a = \"" + std::string(1700, 'x') + "\" }\n";
  EXPECT_EQ(errors(with("aes_key", "aes") + much), "");
  EXPECT_THAT(errors(with("rsa_public_key", "public.pem") + much),
              ::testing::HasSubstr("metadata: has more than the "));
}

TEST_F(ConfigErrorsTest, APlainSinkAndOneForTheS3EncryptionClientNeedTheirOwnNames) {
  write("aes", std::string(32, 'k'));
  const std::string both =
      "[sources.app]\ntype = \"file\"\npaths = [\"/var/log/app/*.log\"]\n"
      "[sinks.a]\ntype = \"s3\"\nbucket = \"logs\"\nregion = \"eu-west-1\"\n"
      "[sinks.b]\ntype = \"s3\"\nbucket = \"logs\"\nregion = \"eu-west-1\"\n"
      "encrypt = { s3ec = { aes_key = { file = \"" +
      root_ + "/aes\" } } }\n";
  EXPECT_THAT(errors(both), ::testing::HasSubstr("[sinks.b] and [sinks.a] (c.toml:4:1) give"));
  EXPECT_EQ(errors(both, {"sinks.b.prefix=sealed/"}), "");
}

TEST_F(ConfigErrorsTest, BucketsAreComparedToo) {
  const std::string both =
      "[sources.app]\ntype = \"file\"\npaths = [\"/var/log/app/*.log\"]\n"
      "[sinks.a]\ntype = \"s3\"\nbucket = \"logs\"\nregion = \"eu-west-1\"\n" +
      encrypted_to(kKey) + "[sinks.b]\ntype = \"s3\"\nregion = \"eu-west-1\"\n" +
      encrypted_to(kOtherKey);
  EXPECT_EQ(errors(both + "bucket = \"other\"\n"), "");
  EXPECT_THAT(errors(both + "bucket = \"logs\"\n"),
              ::testing::StartsWith("c.toml:9:1: [sinks.b] and [sinks.a] (c.toml:4:1) give"));
}

TEST_F(ConfigErrorsTest, EncryptingToNobodyIsNotMeant) {
  EXPECT_EQ(errors(std::string(kGood) + "encrypt = { age = [] }\n"),
            "c.toml:7:19: age: must not be empty; leave \"encrypt\" out for plain objects\n");
  EXPECT_EQ(errors(std::string(kGood) + "encrypt = {}\n"),
            "c.toml:7:11: encrypt: encrypts to nobody; leave it out for plain objects\n");
}

TEST_F(ConfigErrorsTest, NoObjectGoesWhereTheKernelMakesUpFiles) {
  for (const std::string path : {"/proc/x", "/sys", "/srv/../proc"})
    EXPECT_EQ(
        errors(kGood, {"sinks.archive.path=" + path}),
        "--set sinks.archive.path: path: is made up by the kernel and keeps no files; put the "
        "objects on a disk\n");
  EXPECT_EQ(errors(kGood, {"sinks.archive.path=/processed"}), "");
}

TEST_F(ConfigErrorsTest, APrefixTellsAllOfItsErrors) {
  EXPECT_EQ(
      errors(std::string(kGood) + "prefix = \"%Y/!{label:x}/\"\n"),
      "c.toml:7:10: prefix: %Y is strftime's spelling: write !{timestamp:yyyy}; !{label:x}: no "
      "such label: set it in [agent] labels\n");
}

TEST_F(ConfigErrorsTest, AGoodConfigHasNone) { EXPECT_EQ(errors(kGood), ""); }

}  // namespace
}  // namespace edgehose
