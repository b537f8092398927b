// The requests of a multipart upload, unsigned. Pure: as s3_requests.h.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html,
// API_UploadPart.html, API_CompleteMultipartUpload.html, API_AbortMultipartUpload.html,
// API_ListMultipartUploads.html
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "buffer/state.h"
#include "sinks/s3/s3_requests.h"

namespace edgehose {

AwsRequest begin_multipart(const S3Place& place, WallTime now, const Secret& customer_key);

// Part `number`, from 1 on.
AwsRequest upload_part(const S3Place& place, const std::string& upload, std::size_t number,
                       const PartFacts& facts, std::shared_ptr<RequestBody> body,
                       const Secret& customer_key);

// `parts`: all of them. `create_only`: not where the key is taken, whatever the options say.
AwsRequest complete_multipart(const S3Place& place, const PartialUpload& upload,
                              const UploadFacts& facts, bool create_only,
                              const Secret& customer_key);

AwsRequest abort_multipart(const S3Place& place, const std::string& upload);

// Of uploads whose keys begin with `prefix`, those behind the markers: at most 1,000. An empty
// prefix: of the whole bucket. `place.key` counts for nothing.
struct UploadsAfter {
  std::string key, id;  // empty: from the first on
};
AwsRequest list_multiparts(const S3Place& place, const std::string& prefix,
                           const UploadsAfter& after);

}  // namespace edgehose
