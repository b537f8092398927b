#include "sinks/http/exchange.h"

#include <algorithm>
#include <cctype>

#include "agent/base/check.h"
#include "agent/base/file.h"
#include "agent/base/text.h"
#include "sinks/http/ca_bundle.h"

namespace edgehose {
namespace {

constexpr long kUploadBuffer = 64 << 10;
constexpr long kReceiveBuffer = 16 << 10;
constexpr long kContinueMs = 5'000;  // for the answer to "Expect: 100-continue" over slow links
constexpr std::size_t kMaxHeaders = 128;
constexpr std::size_t kMaxAuthorities = 4 << 20;  // bytes of a PEM file; the system's has 0.2 MB

// "https://host:9200": what a message says of a URL. Paths and queries may be long, or secret.
std::string origin_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "this URL";
  return url.substr(0, url.find_first_of("/?", scheme + 3));
}

std::string trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += all.empty() ? part : "," + part;
  return all;
}

}  // namespace

// Applies options; remembers the first that libcurl refuses.
class Exchange::Setter {
 public:
  explicit Setter(CURL* handle) : handle_(handle) {}
  template <class Value>
  void operator()(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(handle_, option, value);
    if (failed_ == CURLE_OK) failed_ = code;
  }
  void text(CURLoption option, const std::string& value) {
    if (!value.empty()) (*this)(option, value.c_str());
  }
  CURLcode failed() const { return failed_; }

 private:
  CURL* const handle_;
  CURLcode failed_ = CURLE_OK;
};

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

std::optional<HttpResponse> Exchange::prepare() {
  Setter set(handle_);
  set_request(set);
  set_connection(set);
  if (const Status tls = set_tls(set); !tls)
    return failed(HttpFailure::kSetup, tls.error().message);
  if (const Status proxy = set_proxy(set); !proxy)
    return failed(HttpFailure::kSetup, proxy.error().message);
  if (set.failed() != CURLE_OK)
    return failed(HttpFailure::kSetup,
                  fmt::format("{}: libcurl refuses an option: {}", origin_of(request_.url),
                              curl_easy_strerror(set.failed())));
  if (request_.body != nullptr && rewind_body(this, 0, SEEK_SET) != CURL_SEEKFUNC_OK)
    return failed(HttpFailure::kBody, body_error_->message);
  return std::nullopt;
}

void Exchange::set_request(Setter& set) {
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_USERAGENT, context_.options.user_agent.c_str());
  if (request_.body != nullptr) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body->size()));
    set(CURLOPT_READFUNCTION, &Exchange::read_body);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &Exchange::rewind_body);
    set(CURLOPT_SEEKDATA, this);
    set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
  }
  if (request_.method == "HEAD")
    set(CURLOPT_NOBODY, 1L);
  else
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  for (const HttpHeader& header : request_.headers)
    // A header without a value is written "Name;", else libcurl leaves it out.
    headers_ = curl_slist_append(
        headers_,
        (header.value.empty() ? header.name + ";" : header.name + ": " + header.value).c_str());
  headers_ =
      curl_slist_append(headers_, request_.expect_continue ? "Expect: 100-continue" : "Expect:");
  set(CURLOPT_HTTPHEADER, headers_);
  set(CURLOPT_EXPECT_100_TIMEOUT_MS, kContinueMs);
  set(CURLOPT_HEADERFUNCTION, &Exchange::take_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Exchange::take_body);
  set(CURLOPT_WRITEDATA, this);
}

void Exchange::set_connection(Setter& set) {
  set(CURLOPT_ERRORBUFFER, curl_says_.data());
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NOPROGRESS, 1L);
  if (request_.once) set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(context_.options.connect_timeout);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout.count()));
  set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
  set(CURLOPT_OPENSOCKETDATA, &context_.sockets);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Exchange::close_socket);
  set(CURLOPT_CLOSESOCKETDATA, &context_.sockets);
}

Status Exchange::set_tls(Setter& set) {
  const TlsConfig& tls = context_.options.config.tls;
  set(CURLOPT_SSLVERSION,
      static_cast<long>(tls.min_version == TlsVersion::k13 ? CURL_SSLVERSION_TLSv1_3
                                                           : CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  const bool proxy_uses_tls = context_.options.config.proxy.url.starts_with("https://");
  if (tls.verify && (request_.url.starts_with("https://") || proxy_uses_tls)) {
    EH_TRY(set_authorities(set));
  }
  if (tls.certificate.empty()) return {};
  EH_ASSIGN(const Secret key, tls.key.read());
  set.text(CURLOPT_SSLCERT, tls.certificate);
  const curl_blob blob{const_cast<char*>(key.reveal().data()), key.reveal().size(), CURL_BLOB_COPY};
  set(CURLOPT_SSLKEY_BLOB, &blob);
  return {};
}

Status Exchange::set_authorities(Setter& set) {
  const std::string& also = context_.options.also_trusted;
  Result<std::string> file = find_ca_bundle(context_.options.config.tls.ca_file);
  if (!file && !also.empty()) file = find_ca_bundle(also);
  if (!file) return tl::unexpected(std::move(file).error());
  trusted_ = *file;
  if (also.empty() || *file == also) {
    set.text(CURLOPT_CAINFO, *file);
    set.text(CURLOPT_PROXY_CAINFO, *file);
    return {};
  }
  EH_ASSIGN(std::string both, read_file(*file, kMaxAuthorities));
  EH_ASSIGN(const std::string others, read_file(also, kMaxAuthorities));
  both.append("\n").append(others);
  const curl_blob blob{both.data(), both.size(), CURL_BLOB_COPY};
  set(CURLOPT_CAINFO_BLOB, &blob);
  set(CURLOPT_PROXY_CAINFO_BLOB, &blob);
  trusted_ += " and " + also;
  return {};
}

// Where the config names no proxy libcurl looks at the environment.
Status Exchange::set_proxy(Setter& set) {
  const ProxyConfig& proxy = context_.options.config.proxy;
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC | CURLAUTH_DIGEST));
  if (!proxy.exclude.empty()) set(CURLOPT_NOPROXY, joined(proxy.exclude).c_str());
  if (proxy.url.empty()) return {};
  set.text(CURLOPT_PROXY, proxy.url);
  if (proxy.user.empty()) return {};
  set.text(CURLOPT_PROXYUSERNAME, proxy.user);
  if (!proxy.password.set()) return {};
  EH_ASSIGN(const Secret password, proxy.password.read_text());
  set(CURLOPT_PROXYPASSWORD, std::string(password.reveal()).c_str());
  return {};
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
  response.headers.push_back({std::move(name), trimmed(text.substr(colon + 1))});
  return text.size();
}

std::size_t Exchange::take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  std::string& body = exchange.response_.body;
  if (body.size() + size * count > exchange.request_.response_limit) {
    exchange.too_long_ = true;
    return 0;  // ends the transfer
  }
  body.append(bytes, size * count);
  return size * count;
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

bool Exchange::stalled(Instant now) {
  if (socket_ < 0 || paused_) {  // connecting has its own limit; a pause is our own
    stall_ = StallDetector(context_.options.stall, now);
    return false;
  }
  const SocketProgress progress = Sockets::progress(socket_);
  const bool awaiting = sent_all() && progress.all_acknowledged && response_.headers.empty();
  return stall_.stalled(now, progress.moved, awaiting);
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
  response_.maybe_arrived = sent > 0 && sent_all();
  return std::move(response_);
}

HttpResponse Exchange::conclude_stalled() {
  response_.status = 0;
  return failed(
      HttpFailure::kStalled,
      fmt::format("{}: hardly a byte moved for {}: given up, to be tried again",
                  origin_of(request_.url), format_duration(context_.options.stall.window)));
}

HttpResponse Exchange::conclude(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  response_.verified = request_.url.starts_with("https://") && context_.options.config.tls.verify;
  // A server may refuse before it has all, and close: what it said counts although sending failed.
  const bool refused_early = status >= 400 && !too_long_ && !body_error_ &&
                             (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);
  if (code == CURLE_OK || refused_early) return std::move(response_);
  auto [failure, problem] = classify(code);
  if (failure == HttpFailure::kTls || failure == HttpFailure::kClock) response_.verified = false;
  response_.status = 0;
  return failed(failure, std::move(problem));
}

std::pair<HttpFailure, std::string> Exchange::classify(CURLcode code) const {
  const std::string said = curl_says_[0] != '\0' ? curl_says_.data() : curl_easy_strerror(code);
  const std::string what = origin_of(request_.url) + ": " + said;
  if (body_error_) return {HttpFailure::kBody, body_error_->message};
  if (too_long_)
    return {HttpFailure::kResponse,
            fmt::format("{}: the answer is longer than {}", origin_of(request_.url),
                        format_size(request_.response_limit))};
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
