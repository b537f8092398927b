// Exchange: one request and its answer, as a libcurl easy handle and its callbacks. Part of
// HttpClient.
//
// Threading: the thread of its client.
// Invariant: it does not move; libcurl holds its address.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sinks/http/cookies.h"
#include "sinks/http/http_client.h"

namespace edgehose {

// What the exchanges of a client share.
struct ExchangeContext {
  HttpClientOptions options;
  const Clock& clock;
  Sockets sockets;
  std::uint64_t body_bytes = 0;  // handed to libcurl so far
  Cookies* cookies = nullptr;    // null: none are kept
};

class Exchange {
 public:
  Exchange(std::uint64_t id, HttpRequest request, ExchangeContext& context);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  std::uint64_t id() const { return id_; }
  CURL* handle() const { return handle_; }
  // Applies all options. Where it fails nothing was sent; the failure is the answer.
  std::optional<HttpResponse> prepare();

  // The socket that libcurl waits on for it; -1: none just now.
  void set_socket(int fd) { socket_ = fd; }
  bool stalled(Instant now);  // or it answers without an end
  // While a budget is used up: when it is worth to go on; kNever while it is not.
  Instant resume_at(Instant now) const;
  void resume();

  HttpResponse conclude(CURLcode code);
  HttpResponse conclude_stalled();

 private:
  static std::size_t read_body(char* out, std::size_t size, std::size_t count, void* self);
  static int rewind_body(void* self, curl_off_t offset, int origin);
  static std::size_t take_header(char* line, std::size_t size, std::size_t count, void* self);
  static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close_socket(void* sockets, curl_socket_t fd);

  class Setter;
  void set_request(Setter& set);
  void set_connection(Setter& set);
  Status set_tls(Setter& set);
  Status set_authorities(Setter& set);
  Status set_proxy(Setter& set);

  std::size_t pull(char* out, std::size_t size);
  std::size_t take_from_budgets(std::size_t want);
  bool sent_all() const;
  bool answer_has_begun() const;
  bool without_end(const SocketProgress& progress);
  std::string too_long() const;
  HttpResponse failed(HttpFailure failure, std::string problem);
  std::pair<HttpFailure, std::string> classify(CURLcode code) const;
  std::string tls_problem(HttpFailure& failure) const;

  const std::uint64_t id_;
  const HttpRequest request_;
  ExchangeContext& context_;
  CURL* handle_;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> curl_says_{};

  std::unique_ptr<ByteStream> body_;
  std::optional<Error> body_error_;
  std::uint64_t body_read_ = 0;
  bool all_handed_over_ = false;  // over this connection or one before
  bool paused_ = false;

  HttpResponse response_;
  bool too_long_ = false;
  std::string trusted_;  // where the authorities are, for people
  int socket_ = -1;
  int counted_socket_ = -1;            // whose bytes are counted
  std::uint64_t received_before_ = 0;  // on that, of earlier answers
  StallDetector stall_;
};

}  // namespace edgehose
