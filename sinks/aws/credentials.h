// Credentials: what signs requests to AWS, where they came from and how long they are good.
//
// Threading: values. The secret parts are wiped when they go, and cannot be formatted.
#pragma once

#include <optional>
#include <string>

#include "agent/base/types.h"
#include "agent/config/secret.h"

namespace edgehose::aws {

struct Credentials {
  std::string access_key_id;  // names the key; AWS shows it in its own logs
  Secret secret_access_key;
  Secret session_token;               // empty: long-term keys
  std::optional<WallTime> expires{};  // nothing: they do not
  std::string source{};               // for people: "profile \"default\" (its keys)"
  bool reread = false;                // from the config or a file, which may change: look again
  bool good_after_expiry = false;     // from instance metadata: AWS extends them in an outage
};

}  // namespace edgehose::aws
