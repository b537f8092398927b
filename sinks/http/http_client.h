// HttpClient: several HTTP exchanges at once over kept-alive connections, driven by step(): HTTP
// and HTTPS, proxies, client certificates, rate limits. Every way to fail is a value (HttpFailure).
//
// A transfer is ended when it stalls (stall.h), never because it takes long; a dead peer within 60
// s (sockets.h). Redirects are not followed. Bodies are pulled as the connection takes them, so
// memory does not depend on their size; a response's body is bounded by its request.
//
// Threading: one thread owns it. Only libcurl's name resolution runs on a thread of its own;
// closing the client may wait for one that hangs. Source: libcurl's multi-socket interface,
// https://curl.se/libcurl/c/libcurl-multi.html
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/version.h"
#include "sinks/http/http_config.h"
#include "sinks/http/sockets.h"
#include "sinks/http/stall.h"
#include "sinks/http_message.h"
#include "sinks/upload_budget.h"

namespace edgehose {

struct HttpClientOptions {
  HttpConfig config;
  StallLimits stall;
  std::string also_trusted;  // PEM file of authorities, beside those of config.tls; empty: none
  Duration connect_timeout = std::chrono::seconds(60);  // name, TCP, proxy and TLS together
  // Shared with others, e.g. the agent's; the sink's own follows from config.max_upload_rate.
  std::vector<std::shared_ptr<UploadBudget>> budgets;
  bool cookies = false;  // kept, in memory: a balancer's, that lead to the same server
  std::string user_agent = fmt::format("edgehose/{}", kVersion);
};

class HttpClient {
 public:
  struct Finished {
    std::uint64_t id;
    HttpResponse response;
  };

  HttpClient(HttpClientOptions options, const Clock& clock);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `id` is the caller's; one that is under way is not given again. Whatever goes wrong is told by
  // step().
  void start(std::uint64_t id, HttpRequest request);
  // Bounded work on what is under way; appends what is finished. Returns when it wants to be called
  // again (earlier when descriptor() is readable).
  Instant step(std::vector<Finished>& finished);
  // Gives up what is under way, without answers.
  void abandon();
  bool idle() const;
  int descriptor() const;        // readable when there is something to do
  WireBytes wire_bytes() const;  // since the start

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edgehose
