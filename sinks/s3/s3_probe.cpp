#include "sinks/s3/s3_probe.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/aws_client/aws_client.h"
#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/multipart_requests.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(5);

AwsClientOptions client_options(S3ProbeOptions& options) {
  AwsClientOptions client =
      s3_client_options(options.config, std::move(options.http), std::move(options.environment));
  client.http.connect_timeout = std::min(kConnectTimeout, options.limit);
  return client;
}

// What to do where nobody answered as S3 does; what is only passing needs nothing.
std::string_view remedy_of(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kResolve:
      return "is there a link and a name service? else correct \"endpoint\", \"region\" or "
             "\"bucket\", of which the name is made";
    case HttpFailure::kConnect:
      return "is there a link? a firewall may want \"proxy\"; else correct \"endpoint\"";
    case HttpFailure::kTls: return "set tls.ca_file to the authority of this service, or proxy";
    case HttpFailure::kClock: return "set the clock (timedatectl)";
    case HttpFailure::kProxy: return "correct \"proxy\"";
    case HttpFailure::kResponse:
    case HttpFailure::kTooLong: return "this is no S3: correct \"endpoint\", its port or scheme";
    default: return "nothing is wrong with the config: it would be tried again";
  }
}

class Probe {
 public:
  Probe(S3ProbeOptions options, Clock& clock)
      : config_(options.config),
        key_(options.key),
        clock_(clock),
        deadline_(clock.now() + options.limit),
        limit_(options.limit),
        client_(client_options(options), clock) {}

  std::vector<Trial> run() {
    if (Status tried = try_all(); !tried) failed(tried.error().message);
    return std::move(trials_);
  }

 private:
  void good(std::string what) { trials_.push_back({Trial::Outcome::kGood, std::move(what)}); }
  void warning(std::string what) { trials_.push_back({Trial::Outcome::kWarning, std::move(what)}); }
  void failed(std::string what) { trials_.push_back({Trial::Outcome::kFailed, std::move(what)}); }

  Status try_all();
  void tell_connection(const HttpResponse& answer);
  bool moved(const HttpResponse& answer);
  Status look_at_bucket();
  Status abort(const std::string& upload);
  Status look_at_object();
  Status list_uploads();
  Result<HttpResponse> begin_upload();
  // What `make` makes for where the bucket is, as far as is known.
  template <class Make>
  Result<HttpResponse> ask(Make make) {
    EH_ASSIGN(const S3Endpoint endpoint, S3Endpoint::resolve(config_.bucket));
    return exchange(endpoint, make(S3Place{config_.upload, endpoint, config_.bucket.region, key_}));
  }
  Result<HttpResponse> exchange(const S3Endpoint& endpoint, AwsRequest request);

  S3Config config_;
  const std::string key_;
  Clock& clock_;
  const Instant deadline_;
  const Duration limit_;
  AwsClient client_;
  std::uint64_t next_id_ = 1;
  std::vector<Trial> trials_;
};

Status Probe::try_all() {
  EH_ASSIGN(HttpResponse answer, begin_upload());
  tell_connection(answer);
  if (moved(answer)) {
    EH_ASSIGN(answer, begin_upload());
  }
  if (not_known_there(answer)) return look_at_bucket();
  if (!answer.succeeded()) {
    const Verdict verdict = judge_s3_refusal(answer, config_.bucket.region);
    failed(reason_of(verdict));
    return {};
  }
  const auto upload = read_begun(answer);
  if (!upload) return fail(ErrorCode::kUnavailable, "{}", not_of_s3(answer));
  good(fmt::format("the bucket {} is in {}", config_.bucket.name, config_.bucket.region));
  good("an upload could be begun under the prefix, with these options");
  EH_TRY(abort(*upload));
  const bool in_parts = config_.common.batch.max_size > config_.part_size;
  if (in_parts || config_.upload.create_only) EH_TRY(look_at_object());
  return in_parts ? list_uploads() : Status{};
}

// Who answers, and as whom it was asked.
void Probe::tell_connection(const HttpResponse& answer) {
  good(fmt::format("{}, credentials: {}",
                   answer.verified ? "TLS with a verified certificate" : "no verified TLS",
                   client_.credentials_source()));
  const Duration offset = client_.clock_offset();
  if (offset == Duration{}) return;
  warning(fmt::format(
      "this machine's clock is {} {} the server's: requests are signed with the server's time, but "
      "records have this one: set the clock (timedatectl)",
      format_duration(std::chrono::abs(offset)), offset > Duration{} ? "behind" : "ahead of"));
}

// The bucket is elsewhere, and the answer says where.
bool Probe::moved(const HttpResponse& answer) {
  if (answer.status < 300) return false;
  const auto verdict = judge_s3_refusal(answer, config_.bucket.region);
  const auto* retry = std::get_if<Retry>(&verdict);
  S3Bucket there = config_.bucket;
  there.region = read_s3_error(answer).region;
  if (retry == nullptr || !retry->lesson || !S3Endpoint::resolve(there)) return false;
  warning(
      fmt::format("the bucket is in {}, not in {}: set region = \"{}\" (it is asked there, but "
                  "first here, at every start with a new buffer)",
                  there.region, config_.bucket.region, there.region));
  config_.bucket = there;
  return true;
}

// A service without multipart uploads.
Status Probe::look_at_bucket() {
  const std::string no_key;
  EH_ASSIGN(const HttpResponse answer, ask([&](const S3Place& place) {
              return head_object({place.options, place.endpoint, place.region, no_key}, Secret());
            }));
  if (answer.status == 200)
    warning(
        "the bucket answers; whether objects may be put there cannot be tried without leaving "
        "one: the service knows no multipart uploads");
  else
    failed(reason_of(judge_s3_refusal(answer, config_.bucket.region)));
  return {};
}

Status Probe::abort(const std::string& upload) {
  EH_ASSIGN(const HttpResponse answer,
            ask([&](const S3Place& place) { return abort_multipart(place, upload); }));
  if (is_gone(answer))
    good("it was given up again: nothing is left behind");
  else
    warning(
        fmt::format("it could not be given up again (S3 answers {} {}): grant "
                    "s3:AbortMultipartUpload; a lifecycle rule (AbortIncompleteMultipartUpload) "
                    "ends it",
                    answer.status, read_s3_error(answer).code));
  return {};
}

// What is asked where a key is taken, or where an answer was lost.
Status Probe::look_at_object() {
  EH_ASSIGN(const Secret key, read_customer_key(config_.upload.encryption));
  EH_ASSIGN(const HttpResponse answer,
            ask([&](const S3Place& place) { return head_object(place, key); }));
  if (answer.status == 200 || answer.status == 404)
    good("what is under a name can be seen");
  else if (answer.status == 403)
    warning(
        "what is under a name cannot be seen (S3 answers 403): grant s3:GetObject on the objects; "
        "where it is granted this is for want of s3:ListBucket on the bucket, without which S3 "
        "does not say that nothing is there");
  else
    warning(fmt::format("what is under a name cannot be seen (S3 answers {})", answer.status));
  return {};
}

// What is asked for uploads that broke off.
Status Probe::list_uploads() {
  EH_ASSIGN(const HttpResponse answer,
            ask([&](const S3Place& place) { return list_multiparts(place, key_, {}); }));
  if (read_uploads(answer))
    good("uploads that broke off can be found");
  else
    warning(
        fmt::format("uploads that broke off cannot be found (S3 answers {} {}): grant "
                    "s3:ListBucketMultipartUploads on the bucket, or have a lifecycle rule "
                    "(AbortIncompleteMultipartUpload) end them",
                    answer.status, read_s3_error(answer).code));
  return {};
}

Result<HttpResponse> Probe::begin_upload() {
  EH_ASSIGN(const Secret key, read_customer_key(config_.upload.encryption));
  return ask(
      [&](const S3Place& place) { return begin_multipart(place, client_.server_time(), key); });
}

Result<HttpResponse> Probe::exchange(const S3Endpoint& endpoint, AwsRequest request) {
  client_.start(next_id_++, std::move(request));
  std::vector<AwsClient::Finished> finished;
  for (;;) {
    const Instant next = client_.step(finished);
    if (!finished.empty()) break;
    if (clock_.now() >= deadline_)
      return fail(ErrorCode::kUnavailable, "{}: no answer within {}", endpoint.host(),
                  format_duration(limit_));
    clock_.wait(client_.descriptors(), std::min(next, deadline_));
  }
  if (finished[0].unsigned_why) return tl::unexpected<Error>(*finished[0].unsigned_why);
  HttpResponse answer = std::move(finished[0].response);
  if (answer.status != 0) return answer;
  if (answer.failure == HttpFailure::kSetup) return fail(ErrorCode::kInvalid, "{}", answer.problem);
  return fail(ErrorCode::kUnavailable, "{}; {}", answer.problem, remedy_of(answer.failure));
}

}  // namespace

std::vector<Trial> try_s3(S3ProbeOptions options, Clock& clock) {
  return Probe(std::move(options), clock).run();
}

}  // namespace edgehose
