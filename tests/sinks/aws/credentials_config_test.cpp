// The options `credentials = { ... }`.
#include "sinks/aws/credentials_config.h"

#include <gtest/gtest.h>

#include "agent/config/field.h"

namespace edgehose::aws {
namespace {

std::string wrong(const CredentialsConfig& config) {
  for (const config::Rule& rule : credentials_fields().rules)
    if (std::string what = rule.wrong(&config); !what.empty()) return what;
  return "";
}

SecretRef secret(const char* text) {
  return {.kind = SecretRef::Kind::kPlain, .where = {}, .plain = Secret(text)};
}

TEST(CredentialsConfig, OneWayAtMost) {
  CredentialsConfig config;
  EXPECT_EQ(wrong(config), "");
  config.profile = "p";
  EXPECT_EQ(wrong(config), "");
  config.process = "x";
  EXPECT_NE(wrong(config), "");
}

TEST(CredentialsConfig, KeysBelongTogether) {
  CredentialsConfig config;
  config.access_key_id = secret("id");
  EXPECT_NE(wrong(config), "");
  config.secret_access_key = secret("key");
  EXPECT_EQ(wrong(config), "");
  config = {};
  config.session_token = secret("token");
  EXPECT_NE(wrong(config), "");
}

TEST(CredentialsConfig, SecretsAreNotPrinted) {
  CredentialsConfig config;
  config.access_key_id = secret("canary");
  config.secret_access_key = secret("canary");
  config.session_token = secret("canary");
  for (const config::Field& field : credentials_fields().fields)
    if (field.print) {
      EXPECT_EQ(field.print(&config).find("canary"), std::string::npos) << field.key;
    }
}

}  // namespace
}  // namespace edgehose::aws
