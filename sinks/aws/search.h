// Search: what every provider of credentials needs to know, and whom it asks. A provider is a
// function `Result<Credentials> x(Search&)`; its error is kNotFound where it is not set up on this
// machine, so that the next one is tried, and anything else where it is, and fails.
//
// Threading: one thread, for one conversation.
#pragma once

#include <string>

#include "agent/base/result.h"
#include "sinks/aws/conversation.h"
#include "sinks/aws/environment.h"
#include "sinks/aws/shared_config.h"

namespace edgehose::aws {

struct Search {
  Conversation& talk;
  const Environment& env;
  std::string profile;  // its name; "default"
  std::string region;   // the configured one, may be empty
  SharedConfig files{};

  // Reads ~/.aws/config and ~/.aws/credentials, or those that AWS_CONFIG_FILE and
  // AWS_SHARED_CREDENTIALS_FILE name. Files that are not there are empty.
  Status read_files();
  std::string setting(const char* variable, const char* property) const;  // the variable first
};

// A search over a conversation, by the profile of the config, AWS_PROFILE or "default".
Search make_search(Conversation& talk, const Environment& env, std::string profile,
                   std::string region);

// The region of what is configured, AWS_REGION, AWS_DEFAULT_REGION or the profile; empty: none.
std::string known_region(const Search& search);

}  // namespace edgehose::aws
