// The credentials of a profile in the files that AWS's tools share: keys, a command, a web
// identity, and roles over any of them or over another profile.
#pragma once

#include <string>
#include <vector>

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"
#include "sinks/aws/sts.h"

namespace edgehose::aws {

// What a profile comes to: where the first credentials are from, then the roles in their order.
struct ProfilePlan {
  enum class Base { kKeys, kCommand, kWebIdentity, kEnvironment, kInstance, kContainer };
  Base base = Base::kKeys;
  std::string profile;      // whose properties the base is in
  std::vector<Role> roles;  // of kWebIdentity, the first is its own
};

// Pure. kNotFound: there is no such profile, or none of its properties gives credentials.
Result<ProfilePlan> plan_profile(const SharedConfig& files, const std::string& name);

Result<Credentials> profile_credentials(Search& search);  // after read_files()

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
Result<Credentials> environment_credentials(const Environment& env);

}  // namespace edgehose::aws
