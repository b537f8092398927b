#include "sinks/events/carrier.h"

namespace edgehose {

Carrier::Carrier(CarrierOptions options, const Clock& clock)
    : auth_(std::move(options.auth)), remedy_(options.remedy) {
  if (!auth_.is_signed()) {
    http_.emplace(std::move(options.http), clock);
    return;
  }
  AwsClientOptions client{std::move(options.name),
                          std::move(options.http),
                          std::move(options.credentials),
                          auth_.region,
                          auth_.sigv4,
                          options.seed,
                          std::move(options.environment)};
  aws_.emplace(std::move(client), clock);
}

Status Carrier::start(std::uint64_t id, HttpRequest request, std::string payload_hash) {
  if (aws_) {
    aws_->start(id, {std::move(request), auth_.region, std::move(payload_hash), remedy_});
    return {};
  }
  EH_ASSIGN(auto header, authorization(auth_));
  if (header) request.headers.push_back(*std::move(header));
  http_->start(id, std::move(request));
  return {};
}

Instant Carrier::step(std::vector<Finished>& finished) {
  if (aws_) return aws_->step(finished);
  std::vector<HttpClient::Finished> answers;
  const Instant next = http_->step(answers);
  for (HttpClient::Finished& answer : answers)
    finished.push_back({answer.id, std::move(answer.response), std::nullopt});
  return next;
}

void Carrier::abandon() {
  if (aws_) return aws_->abandon();
  http_->abandon();
}

WireBytes Carrier::wire_bytes() const { return aws_ ? aws_->wire_bytes() : http_->wire_bytes(); }

std::vector<int> Carrier::descriptors() const {
  return aws_ ? aws_->descriptors() : std::vector<int>{http_->descriptor()};
}

}  // namespace edgehose
