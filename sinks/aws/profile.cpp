#include "sinks/aws/profile.h"

#include <algorithm>
#include <set>

#include "sinks/aws/command.h"
#include "sinks/aws/container.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/aws/instance_metadata.h"

namespace edgehose::aws {
namespace {

using Base = ProfilePlan::Base;

constexpr const char* kKeyId = "aws_access_key_id";
constexpr const char* kKey = "aws_secret_access_key";

bool has(const Properties& profile, const char* name) { return profile.contains(name); }

Role role_of(const Properties& profile) {
  return {.arn = property(&profile, "role_arn"),
          .session_name = property(&profile, "role_session_name"),
          .external_id = property(&profile, "external_id"),
          .duration_seconds = property(&profile, "duration_seconds")};
}

Result<Base> named_source(const std::string& source, const std::string& name) {
  if (source == "Environment") return Base::kEnvironment;
  if (source == "Ec2InstanceMetadata") return Base::kInstance;
  if (source == "EcsContainer") return Base::kContainer;
  return fail(ErrorCode::kInvalid,
              "profile \"{}\": credential_source must be Environment, Ec2InstanceMetadata or "
              "EcsContainer",
              name);
}

// Follows the profiles that one refers to, until one has credentials of its own.
class Planner {
 public:
  explicit Planner(const SharedConfig& files) : files_(files) {}

  Result<ProfilePlan> plan(const std::string& first) {
    std::string name = first;
    for (;;) {
      const Properties* profile = files_.profile(name);
      if (profile == nullptr)
        return fail(name == first ? ErrorCode::kNotFound : ErrorCode::kInvalid,
                    "there is no profile \"{}\"", name);
      if (!seen_.insert(name).second)
        return fail(ErrorCode::kInvalid, "profile \"{}\": source_profile leads in a circle", first);
      const bool keys = has(*profile, kKeyId) || has(*profile, kKey);
      // Another's keys go before its role.
      if (!has(*profile, "role_arn") || (name != first && keys)) return base_of(*profile, name);
      EH_ASSIGN(const bool complete, add_role(*profile, name));
      if (complete) return finished();
      const std::string source = property(profile, "source_profile");
      if (source == name) return base_of(*profile, name);
      name = source;
    }
  }

 private:
  // True where the role itself says what it is assumed with.
  Result<bool> add_role(const Properties& profile, const std::string& name) {
    plan_.profile = name;
    plan_.roles.push_back(role_of(profile));
    if (has(profile, "web_identity_token_file")) {
      plan_.base = Base::kWebIdentity;
      return true;
    }
    const bool source = has(profile, "source_profile"), named = has(profile, "credential_source");
    if (source && named)
      return fail(ErrorCode::kInvalid,
                  "profile \"{}\" has both source_profile and credential_source; keep one", name);
    if (!source && !named)
      return fail(ErrorCode::kInvalid,
                  "profile \"{}\" has a role_arn, but neither source_profile nor "
                  "credential_source nor web_identity_token_file",
                  name);
    if (!named) return false;
    EH_ASSIGN(plan_.base, named_source(property(&profile, "credential_source"), name));
    return true;
  }

  Result<ProfilePlan> base_of(const Properties& profile, const std::string& name) {
    plan_.profile = name;
    if (has(profile, "web_identity_token_file") && !has(profile, "role_arn"))
      return fail(ErrorCode::kInvalid,
                  "profile \"{}\" has a web_identity_token_file, but no role_arn", name);
    if (has(profile, kKeyId) || has(profile, kKey)) {
      for (const char* needed : {kKeyId, kKey})
        if (property(&profile, needed).empty())
          return fail(ErrorCode::kInvalid, "profile \"{}\" has no {}", name, needed);
      plan_.base = Base::kKeys;
      return finished();
    }
    if (has(profile, "credential_process")) {
      plan_.base = Base::kCommand;
      return finished();
    }
    for (const auto& [key, value] : profile)
      if (key.starts_with("sso_"))
        return fail(ErrorCode::kUnsupported,
                    "profile \"{}\" signs in with SSO, which needs a person and a browser; give "
                    "this machine a role, a certificate or keys",
                    name);
    return fail(plan_.roles.empty() ? ErrorCode::kNotFound : ErrorCode::kInvalid,
                "profile \"{}\" has no credentials in it", name);
  }

  // Roles are met from the last to the first.
  ProfilePlan finished() {
    std::reverse(plan_.roles.begin(), plan_.roles.end());
    return std::move(plan_);
  }

  const SharedConfig& files_;
  ProfilePlan plan_;
  std::set<std::string> seen_;
};

Credentials keys_of(const Properties* profile, const std::string& name) {
  return {.access_key_id = property(profile, kKeyId),
          .secret_access_key = Secret(property(profile, kKey)),
          .session_token = Secret(property(profile, "aws_session_token")),
          .source = fmt::format("profile \"{}\"", name),
          .reread = true};
}

Result<Credentials> base_credentials(Search& search, const ProfilePlan& plan) {
  const Properties* profile = search.files.profile(plan.profile);
  switch (plan.base) {
    case Base::kKeys: return keys_of(profile, plan.profile);
    case Base::kCommand:
      return command_credentials(search, property(profile, "credential_process"));
    case Base::kEnvironment: return environment_credentials(search.env);
    case Base::kInstance: return instance_credentials(search);
    case Base::kContainer: return container_credentials(search);
    case Base::kWebIdentity: break;
  }
  return assume_role_with_web_identity(
      search, plan.roles.front(),
      search.env.home_path(property(profile, "web_identity_token_file")));
}

}  // namespace

Result<ProfilePlan> plan_profile(const SharedConfig& files, const std::string& name) {
  return Planner(files).plan(name);
}

Result<Credentials> profile_credentials(Search& search) {
  EH_ASSIGN(const ProfilePlan plan, plan_profile(search.files, search.profile));
  auto found = base_credentials(search, plan);
  for (std::size_t i = plan.base == Base::kWebIdentity ? 1 : 0; found && i < plan.roles.size(); ++i)
    found = assume_role(search, plan.roles[i], *found);
  if (found) return found;
  Error error = std::move(found).error();
  if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kAuth;  // the profile is set up
  return tl::unexpected(
      std::move(error).with_context(fmt::format("profile \"{}\"", search.profile)));
}

Result<Credentials> environment_credentials(const Environment& env) {
  Credentials found{.access_key_id = env.get("AWS_ACCESS_KEY_ID"),
                    .secret_access_key = Secret(env.get("AWS_SECRET_ACCESS_KEY")),
                    .session_token = Secret(env.get("AWS_SESSION_TOKEN")),
                    .source = "environment"};
  if (found.access_key_id.empty() && found.secret_access_key.empty())
    return fail(ErrorCode::kNotFound, "AWS_ACCESS_KEY_ID is not set");
  if (found.access_key_id.empty() || found.secret_access_key.empty())
    return fail(ErrorCode::kInvalid,
                "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is "
                "set; set both");
  return found;
}

}  // namespace edgehose::aws
