// The conversations that AWS's own clients are tested with, each a test of its own.
#include <cstdio>

#include "sinks/aws/profile.h"
#include "sinks/aws/time.h"
#include "tests/sinks/aws/vectors.h"
#include "tests/sinks/aws/world.h"

namespace edgehose::aws {
namespace {

using nlohmann::json;
using test::read_json;
using test::read_text;
using test::vectors;

const char* const kRoot = "credentials/smithy-rs-aws-config/";

// What is not ours to do.
std::string not_supported(const std::string& name) {
  if (name.find("sso") != std::string::npos) return "sign-in of people (SSO) is not supported";
  if (name.find("fips") != std::string::npos) return "FIPS and dual-stack endpoints of STS are not";
  return "";
}

struct Exchange {
  std::string method, uri, token;
  HttpAnswer answer;
};

std::vector<Exchange> load_traffic(const std::string& path) {
  std::map<int, Exchange> by_connection;
  const json recording = read_json(path);
  for (const json& event : recording["events"]) {
    Exchange& exchange = by_connection[event["connection_id"]];
    const json& action = event["action"];
    if (action.contains("Request")) {
      const json& request = action["Request"]["request"];
      exchange.method = request["method"];
      exchange.uri = request["uri"];
      if (request["headers"].contains("x-aws-ec2-metadata-token"))
        exchange.token = request["headers"]["x-aws-ec2-metadata-token"][0];
    } else if (action.contains("Response")) {
      const json& response = action["Response"]["response"];
      if (response.contains("Ok"))
        exchange.answer.status = response["Ok"]["status"];
      else
        exchange.answer.problem = "no answer";
    } else if (action.contains("Data") && action["Data"]["direction"] == "Response") {
      exchange.answer.body += std::string(action["Data"]["data"]["Utf8"]);
    }
  }
  std::vector<Exchange> all;
  for (auto& [id, exchange] : by_connection) all.push_back(std::move(exchange));
  return all;
}

// The vectors' commands are shell scripts in one line; ours get no shell, so the test is one.
CommandAnswer run_in_shell(const CommandAsk& ask) {
  std::string line, output;
  for (const std::string& word : ask.arguments) line += word + " ";
  FILE* pipe = popen(line.c_str(), "r");
  char buffer[4096];
  for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  return {.exit_code = WEXITSTATUS(pclose(pipe)), .output = output};
}

std::string slashed(std::string url) { return url.ends_with('/') ? url : url + "/"; }

test::World load_world(const std::string& folder) {
  test::World world;
  world.run_command = run_in_shell;
  const json variables = read_json(folder + "/env.json");
  for (const auto& [name, value] : variables.items()) world.variables[name] = value;
  std::error_code none;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder + "/fs", none))
    if (entry.is_regular_file())
      world.files[entry.path().string().substr((folder + "/fs").size())] = read_text(entry.path());
  return world;
}

Result<Credentials> credentials_of_profile(Search& search) {
  EH_TRY(search.read_files());
  return profile_credentials(search);
}

class Recorded : public testing::TestWithParam<std::string> {};

TEST_P(Recorded, GivesTheSameCredentials) {
  if (const auto reason = not_supported(GetParam()); !reason.empty())
    GTEST_SKIP() << GetParam() << ": " << reason;
  const std::string folder = vectors(kRoot) + GetParam();
  test::World world = load_world(folder);
  const auto traffic = load_traffic(folder + "/http-traffic.json");
  for (const Exchange& exchange : traffic) world.answers.push_back(exchange.answer);
  const json expected = read_json(folder + "/test-case.json")["result"];

  // One of the two sets is of profiles alone, whatever else the environment has.
  const bool profiles_alone = GetParam().starts_with("profile-provider");
  const auto found = profiles_alone ? world.run<Credentials>(credentials_of_profile) : world.find();
  for (std::size_t i = 0; i < traffic.size() && i < world.asked.size(); ++i) {
    EXPECT_EQ(world.asked[i].method, traffic[i].method);
    EXPECT_EQ(slashed(world.asked[i].url), slashed(traffic[i].uri));
    EXPECT_EQ(test::header(world.asked[i], "x-aws-ec2-metadata-token"), traffic[i].token);
  }
  if (!expected.contains("Ok")) {
    EXPECT_FALSE(found) << "found in " << found->source;
    return;
  }
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(world.asked.size(), traffic.size());
  EXPECT_EQ(found->access_key_id, expected["Ok"]["access_key_id"]);
  EXPECT_EQ(found->secret_access_key.reveal(), std::string(expected["Ok"]["secret_access_key"]));
  EXPECT_EQ(found->session_token.reveal(), expected["Ok"].value("session_token", ""));
  if (expected["Ok"].contains("expiry")) {
    EXPECT_EQ(found->expires.value_or(WallTime()).value / 1'000'000'000,
              expected["Ok"]["expiry"].get<std::int64_t>());
  }
}

std::vector<std::string> recorded() {
  std::vector<std::string> all;
  for (const char* set : {"default-credential-provider-chain", "profile-provider"})
    for (const std::string& name : test::folders_of(vectors(kRoot) + set))
      all.push_back(std::string(set) + "/" + name);
  return all;
}

TEST(RecordedSet, IsComplete) {
  EDGEHOSE_NEED_VECTORS();
  EXPECT_EQ(recorded().size(), 47u);
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Recorded);
INSTANTIATE_TEST_SUITE_P(Clients, Recorded, testing::ValuesIn(recorded()),
                         [](const auto& c) { return test::identifier(c.param); });

Result<SharedConfig> parse_files(const json& input) {
  SharedConfig files;
  EH_TRY(add_shared_file(files, SharedFile::kConfig, input.value("configFile", ""), "config"));
  EH_TRY(add_shared_file(files, SharedFile::kCredentials, input.value("credentialsFile", ""),
                         "credentials"));
  return files;
}

TEST(SharedConfigGrammar, Vectors) {
  EDGEHOSE_NEED_VECTORS();
  const json all = read_json(vectors("credentials/profile-parser-tests.json"));
  int checked = 0;
  for (const json& one : all["tests"]) {
    SCOPED_TRACE(one["name"]);
    const auto files = parse_files(one["input"]);
    ++checked;
    if (one["output"].contains("errorContaining")) {
      ASSERT_FALSE(files);
      EXPECT_THAT(files.error().message,
                  testing::HasSubstr(std::string(one["output"]["errorContaining"])));
      continue;
    }
    ASSERT_TRUE(files) << files.error().message;
    const json& expected = one["output"]["config"];
    EXPECT_EQ(json(files->profiles), expected["profiles"]);
    if (expected.contains("sso_sessions")) {
      EXPECT_EQ(json(files->sso_sessions), expected["sso_sessions"]);
    }
  }
  EXPECT_EQ(checked, 65);
}

json plan_as_json(const ProfilePlan& plan, const SharedConfig& files) {
  const Properties* base = files.profile(plan.profile);
  json chain = json::array();
  const auto role = [](const Role& r) {
    json out = {{"role_arn", r.arn}};
    if (!r.session_name.empty()) out["role_session_name"] = r.session_name;
    if (!r.external_id.empty()) out["external_id"] = r.external_id;
    return out;
  };
  std::size_t first = 0;
  switch (plan.base) {
    case ProfilePlan::Base::kKeys:
      chain.push_back({{"AccessKey",
                        {{"access_key_id", property(base, "aws_access_key_id")},
                         {"secret_access_key", property(base, "aws_secret_access_key")}}}});
      break;
    case ProfilePlan::Base::kInstance:
      chain.push_back({{"NamedSource", "Ec2InstanceMetadata"}});
      break;
    case ProfilePlan::Base::kWebIdentity: {
      json web = role(plan.roles[first++]);
      web["web_identity_token_file"] = property(base, "web_identity_token_file");
      chain.push_back({{"WebIdentityToken", web}});
      break;
    }
    default: chain.push_back("another base");
  }
  for (; first < plan.roles.size(); ++first)
    chain.push_back({{"AssumeRole", role(plan.roles[first])}});
  return chain;
}

TEST(ProfilePlans, Vectors) {
  EDGEHOSE_NEED_VECTORS();
  json all = read_json(vectors(std::string(kRoot) + "assume-role-tests.json"));
  for (json& one : all) {
    SCOPED_TRACE(one["docs"]);
    SharedConfig files;
    for (const auto& [name, properties] : one["input"]["profiles"].items())
      files.profiles[name] = properties.get<Properties>();
    const auto plan = plan_profile(files, one["input"]["selected_profile"]);
    if (one["output"].contains("Error") || one["output"].dump().find("Sso") != std::string::npos) {
      EXPECT_FALSE(plan);
      continue;
    }
    ASSERT_TRUE(plan) << plan.error().message;
    json& chain = one["output"]["ProfileChain"];
    for (json& link : chain)
      if (link.contains("AccessKey")) link["AccessKey"].erase("account_id");
    EXPECT_EQ(plan_as_json(*plan, files), chain);
  }
}

}  // namespace
}  // namespace edgehose::aws
