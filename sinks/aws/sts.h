// A role's credentials, from AWS's Security Token Service: for other credentials, or for a token
// of an identity provider.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/
#pragma once

#include <string>

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

struct Role {
  std::string arn;
  std::string session_name{};  // empty: AWS_ROLE_SESSION_NAME, else "edgehose"
  std::string external_id{};
  std::string duration_seconds{};  // empty: the role's default, one hour
};

// "https://sts.REGION.amazonaws.com/"; where no region is known, the global one. Overridden by
// AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, and the profile's services section and endpoint_url.
std::string sts_url(const Search& search);

Result<Credentials> assume_role(Search& search, const Role& role, const Credentials& base);
// The token's file is read each time: others replace it.
Result<Credentials> assume_role_with_web_identity(Search& search, const Role& role,
                                                  const std::string& token_file);

}  // namespace edgehose::aws
