#include "sinks/aws/chain.h"

#include "sinks/aws/command.h"
#include "sinks/aws/container.h"
#include "sinks/aws/instance_metadata.h"
#include "sinks/aws/profile.h"

namespace edgehose::aws {
namespace {

constexpr const char* kRoleArn = "AWS_ROLE_ARN";
constexpr const char* kTokenFile = "AWS_WEB_IDENTITY_TOKEN_FILE";

Result<Credentials> configured_keys(const CredentialsConfig& config) {
  EH_ASSIGN(const Secret id, config.access_key_id.read_text());
  EH_ASSIGN(Secret key, config.secret_access_key.read_text());
  Secret token;
  if (config.session_token.set()) {
    EH_ASSIGN(token, config.session_token.read_text());
  }
  return Credentials{.access_key_id = std::string(id.reveal()),
                     .secret_access_key = std::move(key),
                     .session_token = std::move(token),
                     .source = "config",
                     .reread = true};
}

Result<Credentials> web_identity_of_environment(Search& search) {
  const std::string arn = search.env.get(kRoleArn), file = search.env.get(kTokenFile);
  if (file.empty()) return fail(ErrorCode::kNotFound, "{} is not set", kTokenFile);
  if (arn.empty()) return fail(ErrorCode::kInvalid, "{} is set, {} is not", kTokenFile, kRoleArn);
  return assume_role_with_web_identity(search, {.arn = arn}, file);
}

struct Link {
  const char* name;
  Result<Credentials> (*find)(Search&);
};

constexpr Link kChain[] = {
    {"environment", [](Search& search) { return environment_credentials(search.env); }},
    {"shared files",
     [](Search& search) -> Result<Credentials> {
       EH_TRY(search.read_files());
       return profile_credentials(search);
     }},
    {"web identity", web_identity_of_environment},
    {"container", container_credentials},
    {"instance metadata", instance_credentials},
};

Result<Credentials> follow_chain(Search& search) {
  std::string tried;
  for (const Link& link : kChain) {
    auto found = link.find(search);
    if (found || search.talk.waiting()) return found;
    const Error& error = found.error();
    tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", link.name, error.message);
    if (error.code != ErrorCode::kNotFound)
      return fail(error.code, "no AWS credentials: {}", tried);
  }
  return fail(ErrorCode::kAuth,
              "no AWS credentials: {}; set one of these up, or credentials = {{ ... }} in the sink",
              tried);
}

Result<Credentials> base_credentials(Search& search, const CredentialsConfig& config) {
  if (config.access_key_id.set()) return configured_keys(config);
  if (!config.process.empty()) return command_credentials(search, config.process);
  if (config.iot.set()) return iot_credentials(search, config.iot);
  if (config.profile.empty()) return follow_chain(search);
  EH_TRY(search.read_files());
  return profile_credentials(search);
}

}  // namespace

Result<Credentials> find_credentials(Search& search, const CredentialsConfig& config) {
  EH_ASSIGN(Credentials base, base_credentials(search, config));
  if (config.role.arn.empty()) return base;
  return assume_role(search, config.role, base);
}

Result<std::string> find_region(Search& search) {
  if (!search.region.empty()) return search.region;
  EH_TRY(search.read_files());
  if (std::string region = known_region(search); !region.empty()) return region;
  auto region = instance_region(search);
  if (region || search.talk.waiting()) return region;
  return fail(ErrorCode::kNotFound,
              "no AWS region: set region in the sink; AWS_REGION and the profile have none, and "
              "instance metadata: {}",
              region.error().message);
}

}  // namespace edgehose::aws
