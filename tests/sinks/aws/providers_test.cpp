// Each way to credentials, what it asks, and what its errors say and keep to themselves.
#include <random>

#include "sinks/aws/command.h"
#include "sinks/aws/container.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/aws/instance_metadata.h"
#include "sinks/aws/profile.h"
#include "tests/sinks/aws/world.h"

namespace edgehose::aws {
namespace {

using test::header;
using test::message_of;
using test::metadata_json;
using test::sts_xml;
using test::World;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

SecretRef plain(const char* text) {
  return {.kind = SecretRef::Kind::kPlain, .where = {}, .plain = Secret(text)};
}

TEST(Chain, SaysWhatWasTriedInItsOrderAndWhyEachGaveNothing) {
  World world;
  world.variables["HOME"] = "/home/e";
  const std::string message = message_of(world.find());
  std::size_t at = 0;
  for (const char* part :
       {"environment: AWS_ACCESS_KEY_ID is not set",
        "shared files: there is no profile \"default\"",
        "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set", "container: neither ",
        "instance metadata: no answer from http://169.254.169.254 (timed out)",
        "credentials = { ... }"}) {
    EXPECT_NE(message.find(part, at), std::string::npos) << part << "\n" << message;
    at = message.find(part, at);
  }
}

TEST(Chain, WhatIsSetUpAndFailsEndsTheSearch) {
  World world;
  world.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/missing";
  world.variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  world.answers = {{200, "token"}, {200, "role"}, {200, metadata_json()}};
  EXPECT_FALSE(world.find());
  EXPECT_TRUE(world.asked.empty());
}

TEST(Chain, HalfAKeyInTheEnvironmentIsAnError) {
  World world;
  world.variables["AWS_ACCESS_KEY_ID"] = "AKIA";
  EXPECT_THAT(message_of(world.find()), HasSubstr("set both"));
}

TEST(Config, KeysGoBeforeTheChain) {
  World world;
  world.variables = {{"AWS_ACCESS_KEY_ID", "other"}, {"AWS_SECRET_ACCESS_KEY", "other"}};
  CredentialsConfig config;
  config.access_key_id = plain("AKIACONFIG");
  config.secret_access_key = plain("secret");
  const auto found = world.find(config);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key_id, "AKIACONFIG");
  EXPECT_TRUE(found->reread);
}

TEST(Config, ARoleIsAssumedWithWhatTheChainGives) {
  World world;
  world.variables = {{"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "key"}};
  world.answers = {{200, sts_xml("AssumeRole")}};
  CredentialsConfig config;
  config.role = {.arn = "arn:aws:iam::1:role/r", .session_name = "gw 1", .external_id = "x&y"};
  const auto found = world.find(config, "eu-west-1");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "ASIAROLE");
  ASSERT_EQ(world.asked.size(), 1u);
  EXPECT_EQ(world.asked[0].url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_EQ(world.asked[0].body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
            "&RoleSessionName=gw%201&ExternalId=x%26y");
  EXPECT_THAT(header(world.asked[0], "Authorization"),
              HasSubstr("Credential=AKIA/20200913/eu-west-1/sts/aws4_request, "
                        "SignedHeaders=content-type;host;x-amz-date"));
}

TEST(Config, StsIsAskedInTheRegionsPartition) {
  const std::pair<const char*, const char*> regions[] = {
      {"eu-west-1", "https://sts.eu-west-1.amazonaws.com/"},
      {"us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/"},
      {"cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"},
      {"eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu/"}};
  for (const auto& [region, url] : regions) {
    World world;
    world.variables = {{"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "key"}};
    CredentialsConfig config;
    config.role = {.arn = "arn:aws:iam::1:role/r"};
    EXPECT_FALSE(world.find(config, region));
    ASSERT_FALSE(world.asked.empty());
    EXPECT_EQ(world.asked[0].url, url);
  }
}

TEST(InstanceMetadata, NeverFallsBackToVersionOne) {
  World world;
  world.answers = {{404, ""}, {200, "role"}, {200, metadata_json()}};
  EXPECT_FALSE(world.find());
  EXPECT_EQ(world.asked.size(), 1u);
}

TEST(InstanceMetadata, IsAskedBrieflyDirectlyAndWithItsToken) {
  World world;
  world.answers = {{200, "tok"}, {200, "my-role\n"}, {200, metadata_json()}};
  const auto found = world.find();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->good_after_expiry);
  ASSERT_EQ(world.asked.size(), 3u);
  EXPECT_EQ(world.asked[0].method, "PUT");
  EXPECT_EQ(header(world.asked[0], "x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_THAT(world.asked[2].url, testing::EndsWith("/security-credentials/my-role"));
  for (const HttpAsk& ask : world.asked) {
    EXPECT_TRUE(ask.direct);
    EXPECT_LE(ask.connect_timeout, std::chrono::seconds(1));
  }
  EXPECT_EQ(header(world.asked[2], "x-aws-ec2-metadata-token"), "tok");
}

TEST(InstanceMetadata, TroubleIsAskedThreeTimesWithGrowingPauses) {
  World world;
  world.answers = {{503, ""}, {500, ""}, {429, ""}};
  EXPECT_FALSE(world.find());
  ASSERT_EQ(world.asked.size(), 3u);
  EXPECT_EQ(world.asked[0].wait_before, Duration::zero());
  EXPECT_LT(world.asked[1].wait_before, world.asked[2].wait_before);
}

TEST(InstanceMetadata, Endpoints) {
  const auto endpoint = [](std::map<std::string, std::string> variables) {
    World world;
    world.variables = std::move(variables);
    return world.run<std::string>([](Search& search) { return metadata_endpoint(search); })
        .value_or("error");
  };
  EXPECT_EQ(endpoint({}), "http://169.254.169.254");
  EXPECT_EQ(endpoint({{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipV6"}}),
            "http://[fd00:ec2::254]");
  EXPECT_EQ(endpoint({{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "7"}}), "error");
  EXPECT_EQ(endpoint({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://h:1/"}}), "http://h:1");
  EXPECT_EQ(endpoint({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "not a uri"}}), "error");
}

TEST(Region, IsTheConfiguredOneElseOfTheEnvironmentProfileInstance) {
  const auto find = [](World world, std::string region = "") {
    return world.run<std::string>(find_region, "", std::move(region)).value_or("none");
  };
  World world;
  EXPECT_EQ(find(world), "none");
  world.answers = {{200, "tok"}, {200, "eu-north-1"}};
  EXPECT_EQ(find(world), "eu-north-1");
  world.variables["HOME"] = "/h";
  world.files["/h/.aws/config"] = "[default]\nregion = eu-west-3\n";
  EXPECT_EQ(find(world), "eu-west-3");
  world.variables["AWS_REGION"] = "eu-west-2";
  EXPECT_EQ(find(world), "eu-west-2");
  EXPECT_EQ(find(world, "eu-west-1"), "eu-west-1");
}

TEST(Container, MayBeAskedWithoutTlsOnlyWhereItIsNear) {
  const auto url = [](const std::string& full) {
    World world;
    world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = full;
    return container_url(world.environment()).has_value();
  };
  for (const char* good : {"https://anywhere.example/x", "http://localhost:80/x",
                           "http://127.0.0.1/x", "http://[::1]:8080/x", "http://169.254.170.2/",
                           "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1"})
    EXPECT_TRUE(url(good)) << good;
  for (const char* bad :
       {"http://example.com/", "http://169.254.170.3/", "http://127.0.0.1.example.com/",
        "http://localhost@example.com/", "http://127.1.example/", "/credentials",
        "ftp://localhost/", "http://169.254.170.2.example.com/"})
    EXPECT_FALSE(url(bad)) << bad;
}

TEST(Container, TokenFileIsReadEachTimeAndMayHaveNoLineBreakInside) {
  World world;
  world.variables = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/c?a=1"},
                     {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}};
  world.files["/t"] = "one\n";
  world.answers = {{200, metadata_json()}, {200, metadata_json()}};
  EXPECT_TRUE(world.find());
  world.files["/t"] = "two";
  EXPECT_TRUE(world.find());
  EXPECT_EQ(world.asked[0].url, "http://169.254.170.2/c?a=1");
  EXPECT_EQ(header(world.asked[0], "Authorization"), "one");
  EXPECT_EQ(header(world.asked[1], "Authorization"), "two");
  world.files["/t"] = "three\r\nX-Evil: 1";
  EXPECT_THAT(message_of(world.find()), HasSubstr("line break"));
}

TEST(Iot, ExchangesTheCertificateForCredentials) {
  World world;
  world.answers = {{200, R"({"credentials":{"accessKeyId":"ASIAIOT","secretAccessKey":"s",)"
                         R"("sessionToken":"t","expiration":"2026-03-04T06:06:07Z"}})"}};
  CredentialsConfig config;
  config.iot = {
      "c1.credentials.iot.eu-west-1.amazonaws.com", "upload", "gw-1", "/c.pem", "/k.pem", ""};
  const auto found = world.find(config);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "ASIAIOT");
  ASSERT_EQ(world.asked.size(), 1u);
  EXPECT_EQ(world.asked[0].url,
            "https://c1.credentials.iot.eu-west-1.amazonaws.com/role-aliases/upload/credentials");
  EXPECT_EQ(header(world.asked[0], "x-amzn-iot-thingname"), "gw-1");
  EXPECT_EQ(world.asked[0].client.certificate, "/c.pem");
  EXPECT_EQ(world.asked[0].client.private_key, "/k.pem");
  world.answers = {{403, R"({"message":"Access Denied"})"}};
  EXPECT_THAT(message_of(world.find(config)), HasSubstr("403 Access Denied"));
}

TEST(Command, IsCutInWordsAndGetsNoShell) {
  const auto words = [](const char* line) {
    return split_command(line).value_or(std::vector<std::string>{"error"});
  };
  EXPECT_THAT(words("/bin/x  -a 'b c' \"d \\\" e\" f\\ g ''"),
              ElementsAre("/bin/x", "-a", "b c", "d \" e", "f g", ""));
  EXPECT_THAT(words("x $HOME; rm | y"), ElementsAre("x", "$HOME;", "rm", "|", "y"));
  EXPECT_THAT(words("x 'open"), ElementsAre("error"));
  EXPECT_THAT(words("  "), ElementsAre("error"));
}

TEST(Command, OutputIsRead) {
  World world;
  CredentialsConfig config;
  config.process = "/bin/get canary-argument";
  const auto outcome = [&](CommandAnswer answer) {
    world.command_answer = std::move(answer);
    return message_of(world.find(config));
  };
  EXPECT_EQ(outcome({.output = R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"})"}),
            "found: credential_process /bin/get");
  EXPECT_THAT(world.commands[0].arguments, ElementsAre("/bin/get", "canary-argument"));
  EXPECT_THAT(outcome({.exit_code = 3}), HasSubstr("ended with 3"));
  EXPECT_THAT(outcome({.output = "canary"}), HasSubstr("no JSON"));
  EXPECT_THAT(outcome({.output = R"({"Version":2})"}), HasSubstr("\"Version\" is not 1"));
  EXPECT_THAT(outcome({.output = R"({"Version":1,"AccessKeyId":"A"})"}),
              HasSubstr("no \"SecretAccessKey\""));
  EXPECT_THAT(outcome({.problem = "took longer than 60 s"}), HasSubstr("took longer"));
}

// Whatever fails, and whatever a peer sends back: nothing secret in the message.
TEST(Secrets, NeverInMessages) {
  const std::string echo =
      "<ErrorResponse><Error><Code>Denied</Code><Message>no canary-jwt "
      "canary-jwt</Message></Error></ErrorResponse>";
  for (const std::string& body :
       {std::string("canary"), echo,
        std::string("{\"Code\":\"Success\",\"AccessKeyId\":\"canary\"}"),
        std::string("{\"Token\":\"canary\",\"SecretAccessKey\":\"canary\""),
        metadata_json("canary-is-no-time")})
    for (const int status : {0, 200, 400, 403, 500})
      for (const char* file : {"[default]\naws_secret_access_key = canary\n", "[default]\ncanary",
                               "canary = canary", "[profile canary"}) {
        World world;
        world.variables = {{"HOME", "/h"},
                           {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                           {"AWS_WEB_IDENTITY_TOKEN_FILE", "/jwt"},
                           {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/c"},
                           {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary"}};
        world.files = {{"/jwt", "canary-jwt"}, {"/h/.aws/credentials", file}};
        world.command_answer = {.output = body};
        world.answers.assign(8, {status, body, "timed out"});
        CredentialsConfig command, iot;
        command.process = "x canary";
        iot.iot = {"h", "alias", "", "/c", "/k", ""};
        for (const auto& found : {world.find(), world.find(command), world.find(iot),
                                  world.run<Credentials>(container_credentials),
                                  world.run<Credentials>(instance_credentials),
                                  world.run<Credentials>([](Search& search) {
                                    return assume_role_with_web_identity(search, {.arn = "arn:r"},
                                                                         "/jwt");
                                  })}) {
          EXPECT_FALSE(found);
          EXPECT_THAT(message_of(found), Not(HasSubstr("canary")));
        }
      }
}

TEST(Parsers, AnythingIsReadToItsEnd) {
  const std::string file = "[profile a]\nx = 1 # c\n y\ns =\n k = v\n[default]\r\nz=2\n";
  const std::string document = metadata_json();
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string bad = i % 2 ? file : document;
    for (int j = 0; j < 4; ++j) bad[random() % bad.size()] = "[]=#; \n\t{}\":,\\\0"[random() % 15];
    SharedConfig files;
    (void)add_shared_file(files, SharedFile::kConfig, bad, "f");
    (void)parse_credentials(bad, kMetadataLayout, "s");
    (void)split_command(bad);
  }
}

}  // namespace
}  // namespace edgehose::aws
