// Credentials in JSON, as instance metadata, containers, commands and AWS IoT Core give them. Pure.
//
// Errors name what is missing or wrong, never a value.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "sinks/aws/credentials.h"

namespace edgehose::aws {

// Where the parts stand. An empty pointer: at the top.
struct CredentialsLayout {
  const char* object;  // "credentials"; empty: the document itself
  const char* access_key_id;
  const char* secret_access_key;
  const char* session_token;
  const char* expiration;
  bool session_token_required;
};

inline constexpr CredentialsLayout kMetadataLayout = {"",      "AccessKeyId", "SecretAccessKey",
                                                      "Token", "Expiration",  true};
inline constexpr CredentialsLayout kProcessLayout = {
    "", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", false};
inline constexpr CredentialsLayout kIotLayout = {"credentials",  "accessKeyId", "secretAccessKey",
                                                 "sessionToken", "expiration",  true};

// A document with "Code" other than "Success", or a process's with another "Version" than 1, is an
// error. `source` is for people.
Result<Credentials> parse_credentials(std::string_view json, const CredentialsLayout& layout,
                                      std::string source);

// "CODE: message" of an error document, made printable and short; empty: it is none.
std::string error_in_json(std::string_view json);

// At most 200 printable characters of what a server said.
std::string printable(std::string_view text);

}  // namespace edgehose::aws
