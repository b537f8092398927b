#include "sinks/s3/s3_transport.h"

#include "agent/base/check.h"
#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/multipart_upload.h"
#include "sinks/s3/s3_error.h"
#include "sinks/s3/s3_requests.h"

namespace edgehose {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

AwsClientOptions client_options(S3Transport::Options& options) {
  AwsClientOptions client =
      s3_client_options(options.config, std::move(options.http), std::move(options.environment));
  client.seed = options.seed;
  return client;
}

// What all keys begin with: the prefix up to its first expression.
std::string literal_beginning(const std::string& prefix) {
  return prefix.substr(0, prefix.find("!{"));
}

// Beside the requests' ids: the search for what is left over, and what is aborted by the way.
constexpr std::uint64_t kLeftovers = 1ull << 63, kDiscards = kLeftovers + 1;

}  // namespace

struct S3Transport::Job {
  Job(UploadRequest asked, std::shared_ptr<const ObjectSummary> its_summary, S3Endpoint where,
      const S3Config& config)
      : request(std::move(asked)),
        summary(std::move(its_summary)),
        endpoint(std::move(where)),
        meter(request.body, request.begun ? request.begun.part_size : config.part_size,
              config.upload.checksum, signs_payload(config.upload, endpoint)) {
    response.region = request.region;
  }
  S3Place place(const S3Config& config) const {
    return {config.upload, endpoint, request.region, request.key,
            summary ? &summary->metadata : nullptr};
  }

  const UploadRequest request;
  const std::shared_ptr<const ObjectSummary> summary;  // null: of what is no object
  const S3Endpoint endpoint;
  UploadMeter meter;
  UploadFacts facts;                       // once it is measured
  std::unique_ptr<MultipartUpload> parts;  // null: it goes up as a whole
  Look look = Look::kNone;  // for what is under the key: before it is sent, or as the last word
  UploadResponse response;
};

S3Transport::S3Transport(Options options, const Clock& clock)
    : config_(options.config),
      client_(client_options(options), clock),
      leftovers_(config_.common.name, literal_beginning(config_.object.prefix)) {}

S3Transport::~S3Transport() = default;

S3Endpoint S3Transport::endpoint_in(const std::string& region) const {
  S3Bucket bucket = config_.bucket;
  bucket.region = region;
  auto endpoint = S3Endpoint::resolve(bucket);
  EH_CHECK(endpoint.has_value());  // S3Sink gives no other regions
  return std::move(*endpoint);
}

void S3Transport::start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) {
  auto upload = std::get<UploadRequest>(std::move(request));
  region_ = upload.region;
  jobs_[id] =
      std::make_unique<Job>(std::move(upload), std::move(body), endpoint_in(region_), config_);
  to_prepare_.push_back(id);
}

Instant S3Transport::step(Instant now, std::vector<Completion>& finished) {
  prepare(finished);
  if (leftovers_.due()) {
    const S3Endpoint endpoint = endpoint_in(region_);
    client_.start(kLeftovers, leftovers_.next({config_.upload, endpoint, region_, ""}));
  }
  std::vector<AwsClient::Finished> answers;
  const Instant next = client_.step(answers);
  for (AwsClient::Finished& answer : answers) take(std::move(answer), now, finished);
  // What an answer led to waits for the client's next step.
  return to_prepare_.empty() && answers.empty() ? next : now;
}

// As well as can be: what stays is found by leftovers_.
void S3Transport::discard(const std::string& key, const PartialUpload& upload) {
  const std::string& region = region_.empty() ? config_.bucket.region : region_;
  const S3Endpoint endpoint = endpoint_in(region);
  client_.start(kDiscards + discards_++,
                abort_multipart({config_.upload, endpoint, region, key}, upload.id));
}

// Nothing is asked where nothing goes up in parts: it takes a permission of its own.
void S3Transport::tidy(Instant now, IsLeftover leftover) {
  if (in_parts_ || config_.common.batch.max_size > config_.part_size)
    leftovers_.tidy(now, std::move(leftover));
}

void S3Transport::abandon() {
  client_.abandon();
  leftovers_.stop();
  jobs_.clear();
  to_prepare_.clear();
}

void S3Transport::prepare(std::vector<Completion>& finished) {
  if (to_prepare_.empty()) {
    buffer_ = std::vector<char>();  // gives the memory back
    return;
  }
  buffer_.resize(kBufferBytes);
  const RequestId id = to_prepare_.front();
  to_prepare_.pop_front();
  Job& job = *jobs_.at(id);
  Result<bool> ended = prepare_slice(job);
  if (!ended) return fail_unsent(id, std::move(ended).error(), finished);
  if (!*ended) {
    to_prepare_.push_back(id);
    return;
  }
  if (job.response.nothing) return finish(id, finished);
  if (Status begun = send(id, job); !begun) fail_unsent(id, std::move(begun).error(), finished);
}

// True: its first request may go.
Result<bool> S3Transport::prepare_slice(Job& job) {
  if (!job.parts) {
    EH_ASSIGN(const bool ended, job.meter.step(buffer_));
    if (!ended) return false;
    measured(job);
    if (job.response.nothing || !job.parts) return true;
  }
  return job.parts->seek(buffer_);
}

void S3Transport::measured(Job& job) {
  job.facts = job.meter.facts();
  UploadResponse& response = job.response;
  response.checksum = job.facts.checksum;
  response.bytes = job.facts.size;
  response.partial = job.summary && job.summary->missing_records > 0;
  response.nothing = response.partial && job.summary->encoded.records == 0;
  if (job.facts.parts.size() == 1 || response.nothing) return;
  in_parts_ = true;
  job.parts = std::make_unique<MultipartUpload>(
      MultipartUpload::Task{job.place(config_), job.facts, job.request.begun, job.request.attempted,
                            response.partial, job.request.renewed},
      job.request.body);
}

Status S3Transport::send(RequestId id, Job& job) {
  const bool look_first = job.response.partial && job.request.maybe_arrived && !job.parts;
  if (look_first && job.look == Look::kNone) return look(id, job, Look::kFirst);
  EH_ASSIGN(const Secret key, read_customer_key(config_.upload.encryption));
  const WallTime now = client_.server_time();
  client_.start(id.value, job.parts ? job.parts->next(now, key)
                                    : put_object(job.place(config_), job.facts, job.meter.body(),
                                                 job.response.partial, now, key));
  return {};
}

Status S3Transport::look(RequestId id, Job& job, Look why) {
  EH_ASSIGN(const Secret key, read_customer_key(config_.upload.encryption));
  job.look = why;
  client_.start(id.value, head_object(job.place(config_), key));
  return {};
}

void S3Transport::take(AwsClient::Finished answer, Instant now, std::vector<Completion>& finished) {
  if (answer.id == kLeftovers) return leftovers_.take(answer.response, now);
  if (answer.id >= kDiscards) return;
  const RequestId id(answer.id);
  Job& job = *jobs_.at(id);
  job.response.unsent = std::move(answer.unsigned_why);
  if (job.look == Look::kFirst)
    return take_first_look(id, job, std::move(answer.response), finished);
  if (job.look == Look::kLast) {
    job.response.existing = std::move(answer.response);
    return finish(id, finished);
  }
  if (job.parts) return take_of_parts(id, job, std::move(answer.response), finished);
  job.response.answer = std::move(answer.response);
  decide(id, job, finished);
}

// Where this attempt lacks records and an earlier one may have had them: a service that ignores
// If-None-Match would replace more by less.
void S3Transport::take_first_look(RequestId id, Job& job, HttpResponse answer,
                                  std::vector<Completion>& finished) {
  job.look = Look::kDone;
  if (job.response.unsent) return finish(id, finished);
  if (answer.status == 200) {
    job.response.existing = std::move(answer);
    return finish(id, finished);
  }
  if (tells_nothing(answer)) {
    job.response.answer = std::move(answer);
    job.response.to = UploadResponse::To::kClearing;
    return finish(id, finished);
  }
  if (Status sent = send(id, job); !sent) fail_unsent(id, std::move(sent).error(), finished);
}

// The upload is over: the answer to it is the last word, or what is under the key is.
void S3Transport::decide(RequestId id, Job& job, std::vector<Completion>& finished) {
  const UploadResponse& response = job.response;
  const bool taken = response.to == UploadResponse::To::kWhole && response.answer.status == 412;
  const bool leaves = job.request.maybe_arrived && !response.existing && !response.unsent &&
                      refused_for_good(response);
  if (!taken && !leaves) return finish(id, finished);
  if (Status begun = look(id, job, Look::kLast); !begun)
    fail_unsent(id, std::move(begun).error(), finished);
}

void S3Transport::take_of_parts(RequestId id, Job& job, HttpResponse answer,
                                std::vector<Completion>& finished) {
  if (job.response.unsent) return finish(id, finished);
  const bool over = job.parts->take(std::move(answer));
  if (auto advance = job.parts->take_advance()) advances_.push_back({id, std::move(*advance)});
  if (over) {
    job.parts->tell(job.response);
    return decide(id, job, finished);
  }
  if (Status sent = send(id, job); !sent) fail_unsent(id, std::move(sent).error(), finished);
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
