// What libcurl is told of an exchange before it begins.
#include <fmt/ranges.h>

#include "agent/base/file.h"
#include "sinks/http/ca_bundle.h"
#include "sinks/http/exchange.h"
#include "sinks/http/failure_text.h"

namespace edgehose {
namespace {

constexpr long kUploadBuffer = 64 << 10;
constexpr long kReceiveBuffer = 16 << 10;
constexpr long kContinueMs = 5'000;  // for the answer to "Expect: 100-continue" over slow links
constexpr std::size_t kMaxAuthorities = 4 << 20;  // bytes of a PEM file; the system's has 0.2 MB

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
  // What has no body is not rewound before it goes again.
  const bool unseen = request_.body == nullptr || request_.body->size() == 0;
  if (request_.once && unseen) set(CURLOPT_FRESH_CONNECT, 1L);
  if (context_.cookies != nullptr) {
    set(CURLOPT_SHARE, context_.cookies->share());
    set(CURLOPT_COOKIEFILE, "");  // none, but they are kept
  }
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
  const long least =
      tls.min_version == TlsVersion::k13 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
  set(CURLOPT_SSLVERSION, least);
  set(CURLOPT_PROXY_SSLVERSION, least);
  set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  const bool proxy_uses_tls = context_.options.config.proxy.url.starts_with("https://");
  const bool server_is_verified = tls.verify && request_.url.starts_with("https://");
  // A proxy over TLS is verified whatever the option says, and the environment may name one: what
  // is not there to be trusted is no error before it is asked for.
  if (Status set_up = set_authorities(set); !set_up && (server_is_verified || proxy_uses_tls))
    return set_up;
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
  if (!proxy.exclude.empty())
    set(CURLOPT_NOPROXY, fmt::format("{}", fmt::join(proxy.exclude, ",")).c_str());
  if (proxy.url.empty()) return {};
  set.text(CURLOPT_PROXY, proxy.url);
  if (proxy.user.empty()) return {};
  set.text(CURLOPT_PROXYUSERNAME, proxy.user);
  if (!proxy.password.set()) return {};
  EH_ASSIGN(const Secret password, proxy.password.read_text());
  set(CURLOPT_PROXYPASSWORD, std::string(password.reveal()).c_str());
  return {};
}

}  // namespace edgehose
