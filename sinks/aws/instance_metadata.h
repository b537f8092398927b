// The credentials and the region of an EC2 instance, from its metadata service, version 2 only.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
#pragma once

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

// Settings: AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT and ..._ENDPOINT_MODE, or
// the profile's ec2_metadata_service_endpoint and ..._endpoint_mode.
Result<std::string> metadata_endpoint(const Search& search);  // "http://169.254.169.254"

Result<Credentials> instance_credentials(Search& search);
Result<std::string> instance_region(Search& search);

}  // namespace edgehose::aws
