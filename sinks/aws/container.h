// The credentials that a container is given over HTTP: ECS, EKS pod identity, Greengrass.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
#pragma once

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI at 169.254.170.2, else ..._FULL_URI: https, or a host that
// is this machine or its container service. kNotFound: neither is set.
Result<std::string> container_url(const Environment& env);

// With AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE (read each time) or
// AWS_CONTAINER_AUTHORIZATION_TOKEN.
Result<Credentials> container_credentials(Search& search);

}  // namespace edgehose::aws
