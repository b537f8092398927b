// Where credentials are looked for, and in which order: what the config names, else the chain that
// AWS's own clients follow. The first that is set up decides; one that is set up and fails ends the
// search, so that nothing is ever sent as somebody else.
#pragma once

#include "sinks/aws/credentials.h"
#include "sinks/aws/credentials_config.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

// The error says what was tried, in its order, and why each gave nothing.
Result<Credentials> find_credentials(Search& search, const CredentialsConfig& config);

// The configured region, AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's.
Result<std::string> find_region(Search& search);

}  // namespace edgehose::aws
