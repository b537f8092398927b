#include "sinks/s3/s3_transport.h"

#include "agent/base/check.h"
#include "sinks/s3/s3_requests.h"

namespace edgehose {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

AwsClientOptions client_options(S3Transport::Options& options) {
  AwsClientOptions client;
  client.name = options.config.common.name;
  client.http = std::move(options.http);
  client.http.config = options.config.http;
  client.credentials = options.config.credentials;
  client.region = options.config.bucket.region;
  client.service = "s3";
  client.seed = options.seed;
  client.environment = std::move(options.environment);
  return client;
}

// Secrets are read for each attempt: a file may have been replaced.
Result<Secret> customer_key(const S3Encryption& encryption) {
  if (encryption.kind != S3Encryption::Kind::kCustomer) return Secret();
  return read_customer_key(encryption.customer_key);
}

}  // namespace

struct S3Transport::Job {
  Job(UploadRequest asked, std::shared_ptr<const ObjectSummary> its_summary, S3Endpoint where,
      const S3UploadOptions& options)
      : request(std::move(asked)),
        summary(std::move(its_summary)),
        endpoint(std::move(where)),
        meter(request.body, options.checksum, signs_payload(options, endpoint)) {
    response.region = request.region;
  }
  S3Place place(const S3Config& config) const {
    return {config.upload, endpoint, request.region, request.key};
  }

  const UploadRequest request;
  const std::shared_ptr<const ObjectSummary> summary;  // null: of what is no object
  const S3Endpoint endpoint;
  UploadMeter meter;
  bool looking = false;  // the key is taken, and by what has been asked
  UploadResponse response;
};

S3Transport::S3Transport(Options options, const Clock& clock)
    : config_(options.config), client_(client_options(options), clock) {}

S3Transport::~S3Transport() = default;

void S3Transport::start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) {
  auto upload = std::get<UploadRequest>(std::move(request));
  S3Bucket bucket = config_.bucket;
  bucket.region = upload.region;
  auto endpoint = S3Endpoint::resolve(bucket);
  EH_CHECK(endpoint.has_value());  // S3Sink gives no other regions
  jobs_[id] = std::make_unique<Job>(std::move(upload), std::move(body), std::move(*endpoint),
                                    config_.upload);
  to_measure_.push_back(id);
}

Instant S3Transport::step(Instant now, std::vector<Completion>& finished) {
  measure(finished);
  std::vector<AwsClient::Finished> answers;
  const Instant next = client_.step(answers);
  for (AwsClient::Finished& answer : answers) take(std::move(answer), finished);
  // A look that an answer led to waits for the client's next step.
  return to_measure_.empty() && answers.empty() ? next : now;
}

void S3Transport::abandon() {
  client_.abandon();
  jobs_.clear();
  to_measure_.clear();
}

void S3Transport::measure(std::vector<Completion>& finished) {
  if (to_measure_.empty()) {
    buffer_ = {};
    return;
  }
  buffer_.resize(kBufferBytes);
  const RequestId id = to_measure_.front();
  to_measure_.pop_front();
  Job& job = *jobs_.at(id);
  Result<bool> ended = job.meter.step(buffer_);
  if (!ended) return fail_unsent(id, std::move(ended).error(), finished);
  if (!*ended) {
    to_measure_.push_back(id);
    return;
  }
  job.response.partial = job.summary && job.summary->missing_records > 0;
  job.response.nothing = job.response.partial && job.summary->encoded.records == 0;
  if (job.response.nothing) return finish(id, finished);
  if (Status begun = upload(id, job); !begun) fail_unsent(id, std::move(begun).error(), finished);
}

Status S3Transport::upload(RequestId id, Job& job) {
  EH_ASSIGN(const Secret key, customer_key(config_.upload.encryption));
  const UploadFacts facts = job.meter.facts();
  job.response.checksum = facts.checksum;
  job.response.bytes = facts.size;
  client_.start(id.value, put_object(job.place(config_), facts, job.meter.body(),
                                     job.response.partial, client_.server_time(), key));
  return {};
}

Status S3Transport::look(RequestId id, Job& job) {
  EH_ASSIGN(const Secret key, customer_key(config_.upload.encryption));
  job.looking = true;
  client_.start(id.value, head_object(job.place(config_), key));
  return {};
}

void S3Transport::take(AwsClient::Finished answer, std::vector<Completion>& finished) {
  const RequestId id(answer.id);
  Job& job = *jobs_.at(id);
  job.response.unsent = std::move(answer.unsigned_why);
  if (job.looking) {
    job.response.existing = std::move(answer.response);
    return finish(id, finished);
  }
  job.response.answer = std::move(answer.response);
  if (job.response.answer.status != 412) return finish(id, finished);
  if (Status begun = look(id, job); !begun) fail_unsent(id, std::move(begun).error(), finished);
}

void S3Transport::fail_unsent(RequestId id, Error error, std::vector<Completion>& finished) {
  jobs_.at(id)->response.unsent = std::move(error);
  finish(id, finished);
}

void S3Transport::finish(RequestId id, std::vector<Completion>& finished) {
  const auto job = jobs_.extract(id);
  finished.push_back({id, std::move(job.mapped()->response)});
}

}  // namespace edgehose
