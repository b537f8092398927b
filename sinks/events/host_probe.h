// HostProbe: single requests to a service's hosts, for `check --connect`: each waits for its
// answer, all of them together no longer than `limit`.
//
// Threading: one thread; blocks.
#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "sinks/delivery/trial.h"
#include "sinks/events/carrier.h"

namespace edgehose {

class HostProbe {
 public:
  HostProbe(CarrierOptions options, Duration limit, Clock& clock);

  // kUnavailable: no answer; or why it could not be sent.
  Result<HttpResponse> exchange(const std::string& endpoint, HttpRequest request);
  void tell(Trial::Outcome outcome, std::string what) {
    trials_.push_back({outcome, std::move(what)});
  }
  // What was told so far, in its order.
  std::vector<Trial> take() { return std::move(trials_); }

 private:
  const Duration limit_;
  const Instant deadline_;
  Clock& clock_;
  Carrier carrier_;
  std::uint64_t next_id_ = 1;
  std::vector<Trial> trials_;
};

// "https://es1:9200: TLS with a verified certificate"
std::string describe_connection(const std::string& endpoint, const HttpResponse& answer);

}  // namespace edgehose
