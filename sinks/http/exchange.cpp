#include "sinks/http/exchange.h"

#include <algorithm>
#include <cctype>

#include "agent/base/check.h"
#include "agent/base/text.h"
#include "sinks/http/failure_text.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxHeaders = 128;
// What an answer may have beside its body: headers, of which libcurl takes 300 KB, TLS, chunks.
constexpr std::uint64_t kBesideBody = 512 << 10;

}  // namespace

Exchange::Exchange(std::uint64_t id, HttpRequest request, ExchangeContext& context)
    : id_(id),
      request_(std::move(request)),
      context_(context),
      handle_(curl_easy_init()),
      stall_(context.options.stall, context.clock.now()) {
  EH_CHECK(handle_ != nullptr);
}

Exchange::~Exchange() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

// --- callbacks -----------------------------------------------------------------------------------

std::size_t Exchange::read_body(char* out, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->pull(out, size * count);
}

std::size_t Exchange::pull(char* out, std::size_t size) {
  const std::size_t granted = take_from_budgets(size);
  if (granted == 0) {
    paused_ = true;
    return CURL_READFUNC_PAUSE;
  }
  const Result<std::size_t> n = body_->read(out, granted);
  for (const auto& budget : context_.options.budgets) budget->give_back(granted - n.value_or(0));
  if (!n) {
    body_error_ = n.error();
    return CURL_READFUNC_ABORT;
  }
  body_read_ += *n;
  all_handed_over_ = all_handed_over_ || sent_all();
  context_.body_bytes += *n;
  return *n;
}

std::size_t Exchange::take_from_budgets(std::size_t want) {
  const Instant now = context_.clock.now();
  const auto& budgets = context_.options.budgets;
  std::size_t granted = want;
  for (std::size_t i = 0; i < budgets.size() && granted > 0; ++i) {
    const std::size_t taken = budgets[i]->take(now, granted);
    for (std::size_t earlier = 0; earlier < i; ++earlier)
      budgets[earlier]->give_back(granted - taken);
    granted = taken;
  }
  return granted;
}

int Exchange::rewind_body(void* self, curl_off_t offset, int origin) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  // A kept connection that broke; what was answered (by a proxy that wants a password) may go
  // again.
  const bool unanswered = exchange.response_.headers.empty();
  if (exchange.request_.once && exchange.all_handed_over_ && unanswered) return CURL_SEEKFUNC_FAIL;
  auto body = exchange.request_.body->open();
  if (!body) {
    exchange.body_error_ = std::move(body).error();
    return CURL_SEEKFUNC_FAIL;
  }
  exchange.body_ = std::move(*body);
  exchange.body_read_ = 0;
  return CURL_SEEKFUNC_OK;
}

std::size_t Exchange::take_header(char* line, std::size_t size, std::size_t count, void* self) {
  HttpResponse& response = static_cast<Exchange*>(self)->response_;
  const std::string_view text(line, size * count);
  if (text.starts_with("HTTP/")) {  // another answer: after 100-continue, or a proxy's
    response.headers.clear();
    return text.size();
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || response.headers.size() >= kMaxHeaders) return text.size();
  std::string name(text.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  response.headers.push_back({std::move(name), std::string(trimmed(text.substr(colon + 1)))});
  return text.size();
}

std::size_t Exchange::take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  std::string& body = exchange.response_.body;
  const std::size_t room = exchange.request_.response_limit - body.size();
  body.append(bytes, std::min(room, size * count));
  exchange.too_long_ = size * count > room;
  return exchange.too_long_ ? 0 : size * count;  // 0 ends the transfer
}

curl_socket_t Exchange::open_socket(void* sockets, curlsocktype, curl_sockaddr* address) {
  return static_cast<Sockets*>(sockets)->open(address->family, address->socktype,
                                              address->protocol);
}

int Exchange::close_socket(void* sockets, curl_socket_t fd) {
  static_cast<Sockets*>(sockets)->close(fd);
  return 0;
}

// --- while it goes on ----------------------------------------------------------------------------

bool Exchange::sent_all() const {
  return request_.body == nullptr || body_read_ >= request_.body->size();
}

// S3 sends the head and a blank now and then while it puts an object's parts together.
bool Exchange::answer_has_begun() const {
  return response_.body.find_first_not_of(" \t\r\n") != std::string::npos;
}

bool Exchange::stalled(Instant now) {
  if (socket_ < 0 || paused_) {  // connecting has its own limit; a pause is our own
    stall_ = StallDetector(context_.options.stall, now);
    return false;
  }
  const SocketProgress progress = Sockets::progress(socket_);
  if (without_end(progress)) return true;
  const bool awaiting = sent_all() && progress.all_acknowledged && !answer_has_begun();
  return stall_.stalled(now, progress.moved, awaiting);
}

// Extensions of chunks are no body and no header: neither limit ends them.
bool Exchange::without_end(const SocketProgress& progress) {
  if (counted_socket_ != socket_ || progress.received < received_before_) {
    counted_socket_ = socket_;
    received_before_ = progress.received;
  }
  const bool endless = progress.received - received_before_ > request_.response_limit + kBesideBody;
  too_long_ = too_long_ || endless;
  return endless;
}

Instant Exchange::resume_at(Instant now) const {
  if (!paused_) return kNever;
  Instant at = now;
  for (const auto& budget : context_.options.budgets) at = std::max(at, budget->ready_at(now));
  return at;
}

void Exchange::resume() {
  paused_ = false;
  curl_easy_pause(handle_, CURLPAUSE_CONT);
}

// --- the end -------------------------------------------------------------------------------------

HttpResponse Exchange::failed(HttpFailure failure, std::string problem) {
  response_.failure = failure;
  response_.problem = std::move(problem);
  long sent = 0;
  curl_easy_getinfo(handle_, CURLINFO_REQUEST_SIZE, &sent);
  response_.maybe_arrived = all_handed_over_ || (sent > 0 && sent_all());
  return std::move(response_);
}

HttpResponse Exchange::conclude_stalled() {
  response_.status = 0;
  if (too_long_) return failed(HttpFailure::kTooLong, too_long());
  return failed(
      HttpFailure::kStalled,
      fmt::format("{}: hardly a byte moved for {}: given up, to be tried again",
                  origin_of(request_.url), format_duration(context_.options.stall.window)));
}

std::string Exchange::too_long() const {
  return fmt::format("{}: the answer is longer than {}", origin_of(request_.url),
                     format_size(request_.response_limit));
}

HttpResponse Exchange::conclude(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  response_.verified = request_.url.starts_with("https://") && context_.options.config.tls.verify;
  // A server may refuse before it has all, and close: what it said counts although sending failed.
  // Of a refusal's page (a filter's, a proxy's) the beginning is enough.
  const bool refused = status >= 300 && !body_error_ &&
                       (too_long_ || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);
  strike_out(response_.body, request_.headers);
  if (code == CURLE_OK || refused) return std::move(response_);
  auto [failure, problem] = classify(code);
  if (failure == HttpFailure::kTls || failure == HttpFailure::kClock) response_.verified = false;
  response_.status = 0;
  return failed(failure, std::move(problem));
}

std::pair<HttpFailure, std::string> Exchange::classify(CURLcode code) const {
  const std::string_view said = curl_says_.data();
  const std::string what = origin_of(request_.url) + ": " + shown(said, curl_easy_strerror(code));
  if (body_error_) return {HttpFailure::kBody, body_error_->message};
  if (blames_proxy_url(said)) return {HttpFailure::kProxy, what};
  if (too_long_) return {HttpFailure::kTooLong, too_long()};
  long proxy_status = 0;
  curl_easy_getinfo(handle_, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (proxy_status >= 300)
    return {HttpFailure::kProxy,
            fmt::format("{}: the proxy answers {}{}", origin_of(request_.url), proxy_status,
                        proxy_status == 407 ? ": it wants other credentials (proxy.user, "
                                              "proxy.password)"
                                            : "")};
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return {HttpFailure::kResolve, what};
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY: return {HttpFailure::kProxy, what};
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: return {HttpFailure::kConnect, what};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: {
      HttpFailure failure = HttpFailure::kTls;
      const std::string hint = tls_problem(failure);
      return {failure, what + hint};
    }
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_URL_MALFORMAT: return {HttpFailure::kSetup, what};
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: bytes without a status line
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING: return {HttpFailure::kResponse, what};
    case CURLE_SEND_FAIL_REWIND:  // HttpRequest::once
      return {HttpFailure::kReset,
              origin_of(request_.url) + ": the connection broke before the answer"};
    default: return {HttpFailure::kReset, what};
  }
}

std::string Exchange::tls_problem(HttpFailure& failure) const {
  // X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED (openssl/x509_vfy.h)
  constexpr long kNotYetValid = 9, kExpired = 10;
  long verified = 0;
  curl_easy_getinfo(handle_, CURLINFO_SSL_VERIFYRESULT, &verified);
  if (verified == kNotYetValid || verified == kExpired) {
    failure = HttpFailure::kClock;
    return fmt::format("; this machine's clock says {}", format_wall(context_.clock.wall()));
  }
  return verified == 0 ? "" : "; certificates trusted are those in " + trusted_;
}

}  // namespace edgehose
