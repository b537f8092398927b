// Options of `type = "s3"` sinks.
#pragma once

#include <string>

#include "agent/config/fields_fwd.h"
#include "sinks/aws/credentials_config.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/http/http_config.h"
#include "sinks/object/object_config.h"
#include "sinks/s3/endpoint.h"
#include "sinks/s3/upload_options.h"

namespace edgehose {

struct S3Config {
  SinkConfig common;
  S3Bucket bucket;
  aws::CredentialsConfig credentials;
  ObjectConfig object;
  S3UploadOptions upload;
  std::uint64_t part_size = 16ull << 20;  // bytes; objects above it go up in parts of it
  HttpConfig http;
};

config::Fields<S3Config> s3_fields();

}  // namespace edgehose
