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

std::string reason_of(const Verdict& verdict) {
  if (const auto* retry = std::get_if<Retry>(&verdict)) return retry->reason;
  if (const auto* park = std::get_if<Park>(&verdict)) return park->reason;
  if (const auto* refused = std::get_if<Rejected>(&verdict)) return refused->reason;
  if (const auto* large = std::get_if<TooLarge>(&verdict)) return large->reason;
  if (const auto* poll = std::get_if<Poll>(&verdict)) return poll->failure;
  if (const auto* partly = std::get_if<Partly>(&verdict)) return partly->reason;
  return {};
}

}  // namespace edgehose
