// Credentials that a program prints (credential_process). It is run without a shell.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

// A command line in words, as a shell would cut it: blanks outside of '...' and "..." separate, '\'
// takes the next character as it is (not within '...'). Nothing is expanded.
Result<std::vector<std::string>> split_command(std::string_view line);

Result<Credentials> command_credentials(Search& search, std::string_view line);

}  // namespace edgehose::aws
