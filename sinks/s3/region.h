// The region to ask first, where the config names none. What the bucket itself answers has the last
// word (s3_error.h), so a wrong one costs a request without a body.
#pragma once

#include <string>

#include "sinks/aws/environment.h"
#include "sinks/s3/endpoint.h"

namespace edgehose {

// The bucket with its region: the configured one, AWS_REGION, AWS_DEFAULT_REGION, the profile's of
// the shared files (`profile` empty: AWS_PROFILE's, or the default one), us-east-1, from where S3
// tells where a bucket of its partition is. Reads files; those that cannot be read name none.
S3Bucket with_region(S3Bucket bucket, const std::string& profile,
                     const aws::Environment& environment);

}  // namespace edgehose
