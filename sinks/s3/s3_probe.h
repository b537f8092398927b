// What would become of an upload: credentials, connection, region, bucket and permission, tried
// before the first batch depends on them.
//
// A multipart upload is begun under the key that an object would have, with everything that the
// sink's options say of one, and aborted: it takes the rights that a PUT takes (s3:PutObject, the
// KMS key, tags, object lock), and no object is made. A PUT that must fail its precondition would
// be an object at services that ignore preconditions. An upload that cannot be aborted holds no
// bytes; it is told, for a lifecycle rule to end.
//
// Where the sink will need it (`create_only`, objects in parts), the bucket is also asked what is
// under that key and which uploads there are: what that takes is not needed for each upload, so
// that it is missing is a warning.
//
// Threading: one thread; blocks for `limit` at most.
#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "sinks/delivery/trial.h"
#include "sinks/http/http_client.h"
#include "sinks/s3/s3_config.h"

namespace edgehose {

struct S3ProbeOptions {
  S3Config config;  // config.bucket has its region
  std::string key;  // of an object that the sink would make
  HttpClientOptions http{};
  aws::Environment environment{};
  Duration limit = std::chrono::seconds(15);  // of all of it
};

// In the order in which it was tried; nothing after the first that failed.
std::vector<Trial> try_s3(S3ProbeOptions options, Clock& clock);

}  // namespace edgehose
