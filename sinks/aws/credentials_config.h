// The options `credentials = { ... }` of sinks that sign for AWS. None: the chain (chain.h).
#pragma once

#include <string>

#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"
#include "sinks/aws/iot.h"
#include "sinks/aws/sts.h"

namespace edgehose::aws {

struct CredentialsConfig {
  SecretRef access_key_id;
  SecretRef secret_access_key;
  SecretRef session_token;
  std::string profile;  // of the shared files
  std::string process;  // a command line, run without a shell
  IotConfig iot;
  Role role;  // assumed with whatever the above, or the chain, gives
};

config::Fields<CredentialsConfig> credentials_fields();

}  // namespace edgehose::aws
