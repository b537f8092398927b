// Transport: what carries a request out and brings its response back: files (directory/), HTTP.
// Knows nothing of claims, retries and order.
//
// Threading: one courier thread owns it. No call blocks for longer than one system call on the
// destination does; step() is bounded work.
//
// A transport whose peer can fall silent ends a request that makes no progress for kStallLimit with
// an error response. Files have no such peer: their system calls end by themselves, or hang, and
// then call() says in which.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/types.h"
#include "agent/base/wire_bytes.h"
#include "sinks/object/object_encoder.h"
#include "sinks/sink.h"

namespace edgehose {

using RequestId = Strong<struct RequestIdTag, std::uint64_t>;  // given by the courier, never reused

constexpr Duration kStallLimit = std::chrono::seconds(60);

struct Completion {
  RequestId id;
  Response response;
};

// How far the upload in parts of a request has come; none: it is over, or given up.
struct Advance {
  RequestId id;
  PartialUpload upload;
};

// Whether an upload under this key is one of ours that no claim needs any more.
using IsLeftover = std::function<bool(const std::string& key)>;

// A call on the destination that may hang in the kernel. `what` is empty: none is under way.
struct Call {
  std::string what;  // "fdatasync of /media/usb/logs/a.log"
  Instant since{};
};

class Transport {
 public:
  virtual ~Transport() = default;
  // `body` tells what the request's body lacks; null where that does not apply.
  virtual void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) = 0;
  // Some work on what is under way; appends what is finished. Returns when it wants to be called
  // again (at or before `now`: at once), kNever where only a descriptor matters.
  virtual Instant step(Instant now, std::vector<Completion>& finished) = 0;
  // What has advanced since the last call.
  virtual std::vector<Advance> take_advances() { return {}; }
  // The upload of a claim that goes another way: it is aborted at the destination, as well as can
  // be.
  virtual void discard(const std::string& /*key*/, const PartialUpload& /*upload*/) {}
  // Now and then, when a request is started: looks for uploads that no claim needs, and aborts
  // them. `leftover` is asked at the last moment, in step().
  virtual void tidy(Instant /*now*/, IsLeftover /*leftover*/) {}
  // Gives up what is under way, without completions.
  virtual void abandon() = 0;
  // What step() is in, for others to see while it does not return. Any thread.
  virtual Call call() const { return {}; }
  // What went over networks since the start, whatever became of it.
  virtual WireBytes wire_bytes() const { return {}; }
  // To wait on for reading; at most 32.
  virtual std::vector<int> descriptors() const = 0;
};

}  // namespace edgehose
