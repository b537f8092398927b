// MultipartUpload: one object in parts, as the requests that follow from each other's answers.
//
//   [abort what was begun of other bytes] [look] [list and abort what is not known of]
//   begin - part, part, ... - complete
//
// An upload of an earlier attempt goes on behind its parts if what was measured now has the same
// parts, by their CRC-64s: of what is encrypted or compressed anew after a restart it mostly has
// not. Else it is aborted; so is one without a part, where an object's key is in its metadata,
// which were sent when that upload began. Before one is begun that is not the first of its key, S3
// is asked for the object, which costs less than to send it again, and for the uploads that there
// are: of one whose answer was lost, or that no commit held when the process was killed, nobody
// knows. The key is ours alone, so every upload under it is.
//
// One that S3 does not know (any more) has been completed by an attempt whose answer was lost, or
// was aborted: the object tells which. One that S3 finds fault with is aborted, and begun anew if
// it is of an earlier attempt: of this one, it would end in the same way again.
//
// Threading: one thread. No I/O: the caller sends what next() gives and hands in the answer.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sinks/s3/multipart_requests.h"
#include "sinks/sink.h"

namespace edgehose {

class MultipartUpload {
 public:
  struct Task {
    S3Place place;  // what it refers to outlives the upload
    UploadFacts facts;
    PartialUpload begun;  // by an earlier attempt
    bool attempted;       // UploadRequest::attempted
    bool create_only;     // whatever the options say
    bool renewed;         // UploadRequest::renewed
  };
  MultipartUpload(Task task, std::shared_ptr<ByteSource> body);

  // One slice of the way to where its first part begins. True: it is there.
  Result<bool> seek(std::span<char> buffer);
  // What is to be sent now; seek() has come to its end.
  AwsRequest next(WallTime now, const Secret& customer_key);
  // The answer to that. True: it is over, and tell() says how.
  bool take(HttpResponse answer);
  // What has changed since it was last asked: the upload as far as it has come.
  std::optional<PartialUpload> take_advance();
  // Once it is over: `answer`, `to` and `existing`.
  void tell(UploadResponse& response) const;

 private:
  enum class Step {
    kDropOld,    // of other bytes
    kLookFirst,  // is the object there?
    kList,       // what is there under the key
    kDropFound,  // of that
    kBegin,
    kPart,
    kComplete,
    kLookGone,    // S3 does not know the upload: is the object there?
    kLookTaken,   // the key is taken: by whom?
    kDropBroken,  // S3 finds fault with it
    kDropSpare,   // the object is there without it
  };

  bool continues() const;
  std::size_t done() const { return upload_.parts.size(); }
  bool take_clearing(const HttpResponse& answer, Step then);
  bool take_list(const HttpResponse& answer);
  bool take_begun(const HttpResponse& answer);
  bool take_part(const HttpResponse& answer);
  bool take_completed(const HttpResponse& answer);
  bool take_look(HttpResponse answer);
  bool take_refusal(const HttpResponse& answer, UploadResponse::To to);
  bool begin_anew();
  bool go(Step step);
  bool over(HttpResponse answer, UploadResponse::To to);
  void end_upload();

  const Task task_;
  const std::shared_ptr<PartReader> reader_;
  PartialUpload upload_;  // as far as it has come; none: not begun
  bool advanced_ = false;
  Step step_ = Step::kBegin;
  std::vector<std::string> found_;  // ids that are to be aborted
  bool fresh_ = false;              // begun in this attempt
  HttpResponse answer_;             // the one that decided
  UploadResponse::To to_ = UploadResponse::To::kBegin;
  std::optional<HttpResponse> existing_;
};

// Whether the object that HEAD has told of is what was measured: by its checksum where the bucket
// tells one that was made in the same way, else by its length. `renewed`: each attempt has other
// bytes, so one that differs says nothing.
bool same_object(const HttpResponse& head, S3Checksum kind, const std::string& checksum,
                 std::uint64_t size, bool renewed);

}  // namespace edgehose
