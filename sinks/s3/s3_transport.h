// S3Transport: uploads objects, each in one request: measured first, then signed and sent. Where a
// key is taken that must not be replaced it asks the bucket what is there.
//
// Where the buffer could not give all records of a batch, an object that is there already is left:
// an earlier attempt holds at least as much.
//
// Threading: transport.h. Bounded: one slice of one body is measured a step; memory of a request is
// UploadMeter's, the encoder's and the connection's, whatever the object's size.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "sinks/aws_client/aws_client.h"
#include "sinks/delivery/transport.h"
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
  void abandon() override;
  std::vector<int> descriptors() const override { return client_.descriptors(); }

 private:
  struct Job;

  void measure(std::vector<Completion>& finished);
  Status upload(RequestId id, Job& job);
  Status look(RequestId id, Job& job);
  void take(AwsClient::Finished answer, std::vector<Completion>& finished);
  void finish(RequestId id, std::vector<Completion>& finished);
  void fail_unsent(RequestId id, Error error, std::vector<Completion>& finished);

  const S3Config config_;
  AwsClient client_;
  std::map<RequestId, std::unique_ptr<Job>> jobs_;
  std::deque<RequestId> to_measure_;  // in turn, a slice each
  std::vector<char> buffer_;          // while something is measured
};

}  // namespace edgehose
