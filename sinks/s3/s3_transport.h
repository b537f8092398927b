// S3Transport: uploads objects: measured first, then signed and sent, in one request or, above
// part_size, in parts (multipart_upload.h). Where a key is taken that must not be replaced, and
// where records would go another way although an earlier attempt may have arrived, it asks the
// bucket what is there. Uploads that nobody needs are aborted: the one of a claim that goes another
// way at once, others when they are found (leftovers.h).
//
// Where the buffer could not give all records of a batch, an object that is there already is left:
// an earlier attempt holds at least as much.
//
// Threading: transport.h. Bounded: one slice of one body is measured a step; memory of a request is
// UploadMeter's, the encoder's, the connection's and some 100 bytes a part, whatever the object's
// size.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "sinks/aws_client/aws_client.h"
#include "sinks/delivery/transport.h"
#include "sinks/s3/leftovers.h"
#include "sinks/s3/s3_config.h"
#include "sinks/s3/upload_body.h"

namespace edgehose {

class S3Transport final : public Transport {
 public:
  struct Options {
    S3Config config;           // config.bucket has its region
    std::uint64_t seed = 0;    // of pauses in the search for credentials
    HttpClientOptions http{};  // `config` is set from the sink's
    aws::Environment environment{};
  };

  S3Transport(Options options, const Clock& clock);
  ~S3Transport() override;
  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) override;
  Instant step(Instant now, std::vector<Completion>& finished) override;
  std::vector<Advance> take_advances() override { return std::exchange(advances_, {}); }
  void discard(const std::string& key, const PartialUpload& upload) override;
  void tidy(Instant now, IsLeftover leftover) override;
  void abandon() override;
  WireBytes wire_bytes() const override { return client_.wire_bytes(); }
  std::vector<int> descriptors() const override { return client_.descriptors(); }

 private:
  struct Job;

  S3Endpoint endpoint_in(const std::string& region) const;
  void prepare(std::vector<Completion>& finished);
  Result<bool> prepare_slice(Job& job);
  void measured(Job& job);
  Status send(RequestId id, Job& job);
  enum class Look { kNone, kFirst, kDone, kLast };  // for what is under the key
  Status look(RequestId id, Job& job, Look why);
  void take_first_look(RequestId id, Job& job, HttpResponse answer,
                       std::vector<Completion>& finished);
  void decide(RequestId id, Job& job, std::vector<Completion>& finished);
  void take(AwsClient::Finished answer, Instant now, std::vector<Completion>& finished);
  void take_of_parts(RequestId id, Job& job, HttpResponse answer,
                     std::vector<Completion>& finished);
  void finish(RequestId id, std::vector<Completion>& finished);
  void fail_unsent(RequestId id, Error error, std::vector<Completion>& finished);

  const S3Config config_;
  AwsClient client_;
  std::map<RequestId, std::unique_ptr<Job>> jobs_;
  std::deque<RequestId> to_prepare_;  // measured, or read up to a part: in turn, a slice each
  std::vector<char> buffer_;          // meanwhile
  std::vector<Advance> advances_;
  std::string region_;     // of the last request
  bool in_parts_ = false;  // something has gone up in parts
  Leftovers leftovers_;
  std::uint64_t discards_ = 0;
};

}  // namespace edgehose
