// What HTTP sinks ask for and what comes back: plain values, no transport (http/ carries them).
//
// Threading: values. A RequestBody belongs to one exchange at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/stream.h"

namespace edgehose {

struct HttpHeader {
  std::string name;
  std::string value;
  bool secret = false;  // of a request: an answer that repeats the value is read without it
};

// The bytes of a request, of known length. They can be opened again: a kept-alive connection that
// the server had closed meanwhile is found out by using it, and then the same request goes once
// more.
class RequestBody : public ByteSource {
 public:
  virtual std::uint64_t size() const = 0;
};

std::shared_ptr<RequestBody> body_of(std::string bytes);

struct HttpRequest {
  std::string method;  // "PUT", "POST", "GET", "HEAD", "DELETE"
  std::string url;     // absolute, http or https; sent as it is, no path is normalised
  // Host and Content-Length follow from url and body. Values may be secret: they are never logged.
  std::vector<HttpHeader> headers{};
  std::shared_ptr<RequestBody> body{};  // null: none
  // The server is asked before the body goes: what it would refuse is not uploaded (metered links).
  bool expect_continue = false;
  // A kept-alive connection may break before the answer: a request is then sent once more, but not
  // where each time makes something new. That one fails, and may have arrived.
  bool once = false;
  // Bytes of the response's body. What is longer is a failure; of a status from 300 on, cut off.
  std::size_t response_limit = 64 << 10;
};

// Why no whole answer came. What an answer with a status means is the sink's to judge.
enum class HttpFailure {
  kNone,      // there is an answer
  kResolve,   // no name service, or it does not know the host
  kConnect,   // nobody listens, no route, no TCP or TLS connection in time
  kTls,       // no agreement, or a certificate that is not trusted
  kClock,     // a certificate that is not valid yet, or any longer: mostly this machine's clock
  kProxy,     // the proxy refused: its address, credentials or rules
  kStalled,   // hardly a byte moved for the stall window
  kReset,     // the connection broke
  kResponse,  // not HTTP, or cut short
  kTooLong,   // longer than allowed
  kBody,      // the request's own bytes could not be read
  kSetup,     // options that cannot be applied: a missing CA file, a key that does not fit
};

struct HttpResponse {
  int status = 0;                   // 0: no answer
  std::vector<HttpHeader> headers;  // names in lower case
  std::string body;
  HttpFailure failure = HttpFailure::kNone;
  std::string problem;         // for people; empty where failure is kNone; never a secret
  bool maybe_arrived = false;  // all of the request was handed over: it may have been acted upon
  bool verified = false;       // over TLS, with a certificate that was verified

  bool succeeded() const { return status >= 200 && status < 300; }
  // The first header of that lower-case name; null: there is none.
  const std::string* header(std::string_view name) const;
};

}  // namespace edgehose
