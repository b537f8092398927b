// AskRunner: carries out what a search for credentials asks (aws/ask.h): one question at a time,
// over HTTP, from a file, or of a program.
//
// Each HTTP question has a connection of its own, through the sink's proxy but for addresses of
// this machine's own link. Who answers is verified, always, by the authority that the question
// names, else by the system's and the sink's together: AWS's services have the one, a proxy that
// looks into TLS has the other. The sink's own certificate is shown to nobody here.
//
// Threading: one thread. Bounded by what each question allows in bytes and in time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "agent/base/clock.h"
#include "sinks/aws/ask.h"
#include "sinks/aws_client/child_program.h"
#include "sinks/http/http_client.h"

namespace edgehose {

class AskRunner {
 public:
  // Of the sink's options the proxy, tls.ca_file and tls.min_version count.
  AskRunner(HttpConfig sink, const Clock& clock) : sink_(std::move(sink)), clock_(clock) {}

  bool busy() const { return ask_.has_value(); }
  void start(const aws::Ask& ask);  // while it is not busy
  // The answer, once there is one; it is not busy any more then. `next`: when to call again,
  // earlier when a descriptor is readable.
  std::optional<aws::Answer> step(Instant& next);
  void abandon();
  int descriptor() const;        // to wait on for reading; -1: none
  WireBytes wire_bytes() const;  // since the start; this machine's own link is left out

 private:
  std::optional<aws::Answer> step_http(const aws::HttpAsk& ask, Instant now, Instant& next);
  std::optional<aws::Answer> step_command(const aws::CommandAsk& ask, Instant now, Instant& next);
  void send(const aws::HttpAsk& ask);
  HttpClientOptions options_for(const aws::HttpAsk& ask) const;

  const HttpConfig sink_;
  const Clock& clock_;
  std::optional<aws::Ask> ask_;
  Instant begin_{};  // of the question, its wait_before over
  std::unique_ptr<HttpClient> http_;
  WireBytes past_;  // of clients that are gone
  std::unique_ptr<ChildProgram> program_;
};

}  // namespace edgehose
