#include "sinks/events/host_probe.h"

#include "agent/base/text.h"
#include "sinks/aws/digest.h"

namespace edgehose {

HostProbe::HostProbe(CarrierOptions options, Duration limit, Clock& clock)
    : limit_(limit),
      deadline_(clock.now() + limit),
      clock_(clock),
      carrier_(std::move(options), clock) {}

Result<HttpResponse> HostProbe::exchange(const std::string& endpoint, HttpRequest request) {
  const std::string body_hash = aws::sha256_hex({});  // of what is signed no body is sent
  EH_TRY(carrier_.start(next_id_++, std::move(request), body_hash));
  std::vector<Carrier::Finished> finished;
  for (;;) {
    const Instant next = carrier_.step(finished);
    if (!finished.empty()) break;
    if (clock_.now() >= deadline_) {
      carrier_.abandon();
      return fail(ErrorCode::kUnavailable, "{}: no answer within {}", endpoint,
                  format_duration(limit_));
    }
    clock_.wait(carrier_.descriptors(), std::min(next, deadline_));
  }
  if (finished[0].unsigned_why) return tl::unexpected<Error>(*finished[0].unsigned_why);
  HttpResponse answer = std::move(finished[0].response);
  if (answer.status == 0) return fail(ErrorCode::kUnavailable, "{}", answer.problem);
  return answer;
}

std::string describe_connection(const std::string& endpoint, const HttpResponse& answer) {
  return fmt::format("{}: {}", endpoint,
                     answer.verified ? "TLS with a verified certificate" : "no verified TLS");
}

}  // namespace edgehose
