#include "sinks/aws_client/aws_client.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "sinks/aws/uri.h"

namespace edgehose {
namespace {

constexpr int kAnswersPerStep = 8;  // files answer at once

// "/bucket/key" and "uploadId=x" of a URL, as they are sent.
std::pair<std::string, std::string> path_and_query(const std::string& url) {
  const std::size_t path = url.find('/', url.find("://") + 3);
  if (path == std::string::npos) return {"/", ""};
  const std::size_t query = url.find('?', path);
  if (query == std::string::npos) return {url.substr(path), ""};
  return {url.substr(path, query - path), url.substr(query + 1)};
}

}  // namespace

AwsClient::AwsClient(AwsClientOptions options, const Clock& clock)
    : name_(std::move(options.name)),
      service_(std::move(options.service)),
      clock_(clock),
      http_(options.http, clock),
      keeper_(std::move(options.credentials), std::move(options.region),
              std::move(options.environment), options.seed),
      asks_(options.http.config, clock) {}

void AwsClient::start(std::uint64_t id, AwsRequest request) {
  const bool fresh = pending_.emplace(id, Pending{std::move(request)}).second;
  EH_CHECK(fresh);
}

Instant AwsClient::step(std::vector<Finished>& finished) {
  const std::size_t before = finished.size();
  const Instant asked = ask_for_credentials(clock_.now());
  send_waiting(finished);
  std::vector<HttpClient::Finished> answers;
  const Instant carried = http_.step(answers);
  for (HttpClient::Finished& answer : answers) take(std::move(answer), finished);
  if (!answers.empty() || finished.size() > before) return clock_.now();
  return std::min(asked, carried);
}

void AwsClient::abandon() {
  pending_.clear();
  http_.abandon();
}

std::vector<int> AwsClient::descriptors() const { return {http_.descriptor(), asks_.descriptor()}; }

std::string AwsClient::credentials_source() const {
  const aws::Credentials* credentials = keeper_.usable(server_time());
  return credentials == nullptr ? "none" : credentials->source;
}

WireBytes AwsClient::wire_bytes() const {
  WireBytes bytes = http_.wire_bytes();
  bytes += asks_.wire_bytes();
  return bytes;
}

// Also while those that are there still serve: they are renewed ahead of their end.
Instant AwsClient::ask_for_credentials(Instant now) {
  for (int answered = 0;; ++answered) {
    if (!asks_.busy()) {
      const aws::Ask* ask = pending_.empty() ? nullptr : keeper_.next(now, server_time());
      if (ask == nullptr) return kNever;
      asks_.start(*ask);
    }
    if (answered == kAnswersPerStep) return now;
    Instant next = kNever;
    std::optional<aws::Answer> answer = asks_.step(next);
    if (!answer) return next;
    if (const auto* http = std::get_if<aws::HttpAnswer>(&*answer)) learn_time(http->date);
    keeper_.answer(std::move(*answer), now, server_time());
  }
}

void AwsClient::send_waiting(std::vector<Finished>& finished) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    auto& [id, pending] = *at;
    const aws::Credentials* credentials = pending.sent ? nullptr : keeper_.usable(server_time());
    if (credentials != nullptr) send(id, pending, *credentials);
    if (pending.sent || asks_.busy()) {
      ++at;
      continue;
    }
    finished.push_back({id, {}, why_unsigned()});
    at = pending_.erase(at);
  }
}

void AwsClient::send(std::uint64_t id, Pending& pending, const aws::Credentials& credentials) {
  HttpRequest http = pending.request.http;
  auto [path, query] = path_and_query(http.url);
  aws::SigningRequest request{http.method, std::move(path), std::move(query), http.headers,
                              pending.request.payload_hash};
  request.headers.push_back({"host", std::string(aws::authority_of(http.url))});
  for (HttpHeader& header :
       signer_for(pending.request.region).sign(std::move(request), credentials, server_time()))
    http.headers.push_back(std::move(header));
  pending.sent = true;
  pending.signed_with = credentials.access_key_id;
  pending.signed_at = server_clock_.offset();
  http_.start(id, std::move(http));
}

void AwsClient::take(HttpClient::Finished answer, std::vector<Finished>& finished) {
  const auto found = pending_.find(answer.id);
  if (found == pending_.end()) return;
  learn_time(verified_date(answer.response));
  if (cure(found->second, answer.response)) {
    found->second.sent = false;
    return;
  }
  pending_.erase(found);
  finished.push_back({answer.id, std::move(answer.response), std::nullopt});
}

void AwsClient::learn_time(std::string_view verified_date) {
  if (!server_clock_.learn(verified_date, clock_.wall())) return;
  const Duration offset = server_clock_.offset();
  if (offset == Duration{})
    log::info("sink {}: this machine's clock agrees with the server's again", name_);
  else
    log::warn(
        "sink {}: this machine's clock is {} {} the server's; requests are signed with the "
        "server's time",
        name_, format_duration(std::chrono::abs(offset)),
        offset > Duration{} ? "behind" : "ahead of");
}

// True: it is worth to send it again at once. Each remedy is tried once a request.
bool AwsClient::cure(Pending& pending, const HttpResponse& response) {
  if (response.status == 0 || pending.request.remedy == nullptr) return false;
  switch (pending.request.remedy(response)) {
    case Remedy::kNone: return false;
    case Remedy::kClock:
      if (std::exchange(pending.clock_cured, true)) return false;
      return server_clock_.offset() != pending.signed_at;
    case Remedy::kCredentials: {
      if (std::exchange(pending.credentials_cured, true)) return false;
      // Another request's refusal may have led to others already.
      const aws::Credentials* present = keeper_.usable(server_time());
      if (present != nullptr && present->access_key_id != pending.signed_with) return true;
      return keeper_.refused(clock_.now());
    }
  }
  return false;
}

aws::Signer& AwsClient::signer_for(const std::string& region) {
  if (!signer_ || signer_region_ != region) {
    signer_.emplace(aws::SigningScope{region, service_});
    signer_region_ = region;
  }
  return *signer_;
}

Error AwsClient::why_unsigned() const {
  if (keeper_.failure()) return *keeper_.failure();
  return {ErrorCode::kAuth, 0, "there are no AWS credentials that are still good"};
}

}  // namespace edgehose
