// The files that AWS's tools share: ~/.aws/config and ~/.aws/credentials, as their grammar is
// defined for all of AWS's clients (sections, properties, continuations, sub-properties). Pure.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
//
// Errors name the file and the line, never what is written in it.
//
// Threading: values.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose::aws {

using Properties = std::map<std::string, std::string>;  // by lower-case name

struct SharedConfig {
  std::map<std::string, Properties> profiles;
  std::map<std::string, Properties> sso_sessions;
  std::map<std::string, Properties> services;

  const Properties* profile(const std::string& name) const;  // null: there is none
};

// The property of a profile, or empty.
std::string property(const Properties* properties, const std::string& name);
// "endpoint_url" in a property whose value is lines of sub-properties; empty: not there.
std::string sub_property(std::string_view value, std::string_view name);

enum class SharedFile { kConfig, kCredentials };  // "[profile NAME]" or "[NAME]"

// Adds a file's content; its properties replace those that are there. `name` is for errors.
Status add_shared_file(SharedConfig& to, SharedFile kind, std::string_view content,
                       std::string_view name);

}  // namespace edgehose::aws
