#include "sinks/aws_client/ask_runner.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/base/file.h"
#include "agent/base/text.h"
#include "sinks/aws_client/server_clock.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kOnlyExchange = 1;
constexpr Duration kLookForEnd = std::chrono::milliseconds(20);  // of a program without output

std::string timed_out(Duration limit) {
  return fmt::format("no end after {}", format_duration(limit));
}

}  // namespace

void AskRunner::start(const aws::Ask& ask) {
  EH_CHECK(!busy());
  ask_ = ask;
  begin_ = clock_.now();
  if (const auto* http = std::get_if<aws::HttpAsk>(&*ask_)) begin_ += http->wait_before;
}

std::optional<aws::Answer> AskRunner::step(Instant& next) {
  next = kNever;
  if (!ask_) return std::nullopt;
  const Instant now = clock_.now();
  std::optional<aws::Answer> answer;
  if (const auto* http = std::get_if<aws::HttpAsk>(&*ask_))
    answer = step_http(*http, now, next);
  else if (const auto* command = std::get_if<aws::CommandAsk>(&*ask_))
    answer = step_command(*command, now, next);
  else if (const auto* file = std::get_if<aws::FileAsk>(&*ask_))
    answer = aws::FileAnswer(read_file(file->path, file->limit));
  if (answer) abandon();
  return answer;
}

WireBytes AskRunner::wire_bytes() const {
  WireBytes bytes = past_;
  const auto* ask = ask_ ? std::get_if<aws::HttpAsk>(&*ask_) : nullptr;
  if (http_ && ask != nullptr && !ask->direct) bytes += http_->wire_bytes();
  return bytes;
}

void AskRunner::abandon() {
  past_ = wire_bytes();
  ask_.reset();
  http_.reset();
  program_.reset();
}

int AskRunner::descriptor() const {
  if (http_) return http_->descriptor();
  return program_ ? program_->descriptor() : -1;
}

std::optional<aws::Answer> AskRunner::step_http(const aws::HttpAsk& ask, Instant now,
                                                Instant& next) {
  next = begin_;
  if (now < begin_) return std::nullopt;
  if (!http_) send(ask);
  std::vector<HttpClient::Finished> finished;
  const Instant deadline = begin_ + ask.total_timeout;
  next = std::min(http_->step(finished), deadline);
  if (!finished.empty()) {
    HttpResponse& response = finished.front().response;
    return aws::HttpAnswer{.status = response.status,
                           .body = std::move(response.body),
                           .problem = std::move(response.problem),
                           .date = std::string(verified_date(response))};
  }
  if (now < deadline) return std::nullopt;
  return aws::HttpAnswer{.problem = timed_out(ask.total_timeout)};
}

void AskRunner::send(const aws::HttpAsk& ask) {
  http_ = std::make_unique<HttpClient>(options_for(ask), clock_);
  HttpRequest request{.method = ask.method, .url = ask.url, .headers = ask.headers};
  if (!ask.body.empty()) request.body = body_of(ask.body);
  request.response_limit = ask.response_limit;
  http_->start(kOnlyExchange, std::move(request));
}

HttpClientOptions AskRunner::options_for(const aws::HttpAsk& ask) const {
  HttpClientOptions options;
  options.connect_timeout = ask.connect_timeout;
  if (ask.direct)
    options.config.proxy.exclude = {"*"};
  else
    options.config.proxy = sink_.proxy;
  options.config.tls.min_version = sink_.tls.min_version;
  options.config.tls.ca_file = ask.client.ca_file;
  if (ask.client.ca_file.empty()) options.also_trusted = sink_.tls.ca_file;
  options.config.tls.certificate = ask.client.certificate;
  if (!ask.client.private_key.empty())
    options.config.tls.key = {SecretRef::Kind::kFile, ask.client.private_key, {}};
  return options;
}

std::optional<aws::Answer> AskRunner::step_command(const aws::CommandAsk& ask, Instant now,
                                                   Instant& next) {
  if (!program_) {
    auto started = ChildProgram::start(ask.arguments, ask.output_limit);
    if (!started) return aws::CommandAnswer{.problem = started.error().message};
    program_ = std::move(*started);
  }
  const Instant deadline = begin_ + ask.timeout;
  const std::optional<int> code = program_->step();
  if (program_->too_long())
    return aws::CommandAnswer{
        .problem = fmt::format("it prints more than {}", format_size(ask.output_limit))};
  if (code) return aws::CommandAnswer{.exit_code = *code, .output = program_->take_output()};
  if (now >= deadline) return aws::CommandAnswer{.problem = timed_out(ask.timeout)};
  next = program_->descriptor() < 0 ? std::min(deadline, now + kLookForEnd) : deadline;
  return std::nullopt;
}

}  // namespace edgehose
