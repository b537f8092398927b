#include "agent/config/secret.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config/reference.h"
#include "tests/agent/config/temporary.h"

namespace edgehose {
namespace {

using config::Fields;
using testing::HasSubstr;

constexpr const char* kCanary = "CANARY-7f3a";

struct TokenConfig {
  std::string name;
  SecretRef token;
  SecretRef spare;
};

ConfigSchema schema_with_tokens() {
  ConfigSchema schema = test_schema();
  schema.sink(
      "token", "A sink with secrets.",
      Fields<TokenConfig>{config::table_name<&TokenConfig::name>(),
                          config::plain_secret<&TokenConfig::token>("token", "May be plain."),
                          config::field<&TokenConfig::spare>("spare", "May not.")});
  return schema;
}

class SecretConfigTest : public testing::Test {
 protected:
  tl::expected<LoadedConfig, ConfigErrors> load(const std::string& sink,
                                                std::vector<std::string> sets = {}) {
    LoadOptions options;
    options.path = directory.write("edgehose.toml",
                                   "[sources.app]\ntype = \"file\"\npaths = [\"/a\"]\n"
                                   "[sinks.t]\ntype = \"token\"\n" +
                                       sink);
    options.sets = std::move(sets);
    return load_config(options, schema_with_tokens());
  }
  // Everything that a person is ever shown of a load.
  static std::string shown(const tl::expected<LoadedConfig, ConfigErrors>& loaded) {
    std::string out;
    if (!loaded) {
      for (const auto& error : loaded.error().errors) out += error.text() + "\n";
      return out;
    }
    for (const auto& warning : loaded->warnings) out += warning.text() + "\n";
    return out + effective_config(loaded->settings);
  }
  TemporaryDirectory directory;
};

SecretRef in_file(const std::string& path) { return {SecretRef::Kind::kFile, path, {}}; }

TEST(SecretRef, ReadsWhatTheFileHoldsNow) {
  const TemporaryDirectory directory;
  const SecretRef ref = in_file(directory.write("key", "first\n"));
  EXPECT_EQ(ref.read()->reveal(), "first\n");
  EXPECT_EQ(ref.read_text()->reveal(), "first");
  directory.write("key", "second\r\n");
  EXPECT_EQ(ref.read_text()->reveal(), "second");
}

TEST(SecretRef, ErrorsNameThePlaceAndWhatToDo) {
  const TemporaryDirectory directory;
  EXPECT_THAT(in_file("/nonexistent/key").read().error().message,
              HasSubstr("/nonexistent/key: No such file or directory; create it"));
  EXPECT_THAT(in_file(directory.write("empty", "")).read().error().message, HasSubstr("is empty"));
  EXPECT_THAT(in_file(directory.write("line", "\n")).read_text().error().message,
              HasSubstr("empty line"));
  EXPECT_THAT(in_file(directory.write("long", std::string(SecretRef::kMaxBytes + 1, 'x')))
                  .read()
                  .error()
                  .message,
              HasSubstr("longer than"));
  EXPECT_FALSE(SecretRef{}.read());
}

TEST(SecretRef, FromTheEnvironment) {
  const Environment variable("EDGEHOSE_TEST_SECRET", kCanary);
  const SecretRef ref{SecretRef::Kind::kEnv, "EDGEHOSE_TEST_SECRET", {}};
  EXPECT_EQ(ref.read()->reveal(), kCanary);
  EXPECT_EQ(ref.text(), "{ env = \"EDGEHOSE_TEST_SECRET\" }");
  const Environment unset("EDGEHOSE_TEST_SECRET", nullptr);
  EXPECT_THAT(ref.read().error().message, HasSubstr("EDGEHOSE_TEST_SECRET is not set"));
}

TEST(SecretRef, FromACredentialOfTheServiceManager) {
  const TemporaryDirectory directory;
  directory.write("hec", kCanary, 0400);
  const Environment passed("CREDENTIALS_DIRECTORY", directory.path().c_str());
  EXPECT_EQ((SecretRef{SecretRef::Kind::kCredential, "hec", {}}.read()->reveal()), kCanary);
  const auto missing = SecretRef{SecretRef::Kind::kCredential, "nonexistent", {}}.read();
  EXPECT_THAT(missing.error().message, HasSubstr("/etc/edgehose/credentials/nonexistent"));
  EXPECT_THAT(missing.error().message, HasSubstr("LoadCredential=nonexistent:PATH"));
  EXPECT_THAT(missing.error().message, HasSubstr("the drop-in credentials.conf"));
}

TEST(SecretRef, ReadableByEverybodyIsExposed) {
  const TemporaryDirectory directory;
  EXPECT_EQ(in_file(directory.write("mine", "x", 0640)).exposure(), std::nullopt);
  EXPECT_THAT(*in_file(directory.write("open", "x", 0644)).exposure(), HasSubstr("every user"));
}

TEST(Secret, MovedFromAndAssignedOverAreEmpty) {
  Secret first(kCanary);
  Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_EQ(second.reveal(), kCanary);
  Secret third;
  third = std::move(second);
  EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(third.reveal(), kCanary);
}

TEST(Secret, BytesAreWipedWhenItGoes) {
  // Long enough to be on the heap of the string; looked at before the memory is freed.
  Secret secret(std::string(256, 'S'));
  const char* bytes = secret.reveal().data();
  Secret taken = std::move(secret);
  EXPECT_EQ(std::string_view(bytes, 256).find('S'), std::string_view::npos);
}

static_assert(!fmt::is_formattable<Secret>::value, "a secret must not be printable");
static_assert(!fmt::is_formattable<SecretRef>::value, "nor where it is kept, plain ones included");

TEST_F(SecretConfigTest, APlainOneIsMaskedAndWarnedOf) {
  const auto loaded = load(std::string("token = \"") + kCanary + "\"\n");
  ASSERT_TRUE(loaded) << shown(loaded);
  EXPECT_EQ(loaded->config.sinks[0].as<TokenConfig>().token.read()->reveal(), kCanary);
  EXPECT_THAT(shown(loaded), HasSubstr("6:9: token: a secret is written in the config itself"));
  EXPECT_THAT(shown(loaded), HasSubstr("sinks.t.token = \"***\""));
  EXPECT_EQ(shown(loaded).find(kCanary), std::string::npos);
}

TEST_F(SecretConfigTest, NoWayOfGettingItWrongShowsIt) {
  const std::string canary = kCanary;
  const std::string key = directory.write("key", canary, 0644);
  const Environment variable("EDGEHOSE_TEST_SECRET", kCanary);
  for (const std::string& sink : std::vector<std::string>{
           "spare = \"" + canary + "\"\n", "spare = [\"" + canary + "\"]\n",
           "tokn = \"" + canary + "\"\n", "token = [\"" + canary + "\"]\n",
           "spare = \"${EDGEHOSE_TEST_SECRET}\"\n", "spare = { file = \"" + key + "\" }\n",
           "spare = { env = \"EDGEHOSE_TEST_SECRET\" }\n",
           "spare = { value = \"" + canary + "\" }\n", "token = \"" + canary + "\nx = 1"}) {
    const auto loaded = load(sink);
    EXPECT_EQ(shown(loaded).find("CANARY"), std::string::npos) << shown(loaded);
  }
  for (const std::string& set :
       std::vector<std::string>{"sinks.t.token=" + canary, "sinks.t.spare=" + canary,
                                "sinks.t.nope=" + canary, "sinks.t.token=\"" + canary}) {
    const auto loaded = load("", {set});
    EXPECT_EQ(shown(loaded).find("CANARY"), std::string::npos) << shown(loaded);
  }
}

TEST_F(SecretConfigTest, ReadableByEverybodyIsAWarning) {
  const auto loaded =
      load("spare = { file = \"" + directory.write("key", kCanary, 0644) + "\" }\n");
  EXPECT_THAT(shown(loaded), HasSubstr("edgehose.toml:6:9: spare: the secret file "));
}

TEST_F(SecretConfigTest, OnlyReadWhenAsked) {
  LoadOptions options;
  ASSERT_FALSE(load("spare = { file = \"/nonexistent/key\" }\n"));
  options.path = directory.path() + "/edgehose.toml";
  options.try_secrets = false;
  EXPECT_TRUE(load_config(options, schema_with_tokens()));
}

}  // namespace
}  // namespace edgehose
