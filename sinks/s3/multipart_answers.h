// What S3 answers to the requests of a multipart upload, read. Pure.
// Source: as multipart_requests.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/http_message.h"
#include "sinks/s3/checksum.h"
#include "sinks/s3/multipart_requests.h"

namespace edgehose {

// None of these: the answer is not S3's, or a refusal.
std::optional<std::string> read_begun(const HttpResponse& answer);     // the upload's id
std::optional<std::string> read_part_tag(const HttpResponse& answer);  // as it is sent back

struct CompletedUpload {
  std::string tag;
  std::string checksum;  // of the kind asked for; empty: it is not told
};
// A 200 may be a refusal all the same: S3 begins to answer before it knows. Then this is none, and
// read_s3_error() tells the code.
std::optional<CompletedUpload> read_completed(const HttpResponse& answer, S3Checksum kind);

struct ListedUpload {
  std::string key, id;
};
struct ListedUploads {
  std::vector<ListedUpload> uploads;
  bool more = false;
  UploadsAfter next;  // where there are more
};
// Bounded: one of more than kMaxListed is none. S3 lists 1,000 at most, MinIO 10,000.
constexpr std::size_t kMaxListed = 10'000;
std::optional<ListedUploads> read_uploads(const HttpResponse& answer);

// Whether the answer to a question tells nothing of what was asked: there was none, or the service
// could not see to it now.
bool tells_nothing(const HttpResponse& answer);
// The service does not know the request at all.
bool not_known_there(const HttpResponse& answer);
// Whether the agent may not do that, or the service cannot: a reason to go on without.
bool not_allowed(const HttpResponse& answer);
// Gone, whoever did it.
bool is_gone(const HttpResponse& answer);

}  // namespace edgehose
