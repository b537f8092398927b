#include "sinks/events/status_verdict.h"

#include "sinks/http/retry_after.h"

namespace edgehose {

// What is no such service's: a portal, a proxy; or this config's: a parameter that this version
// does not know.
HttpRefusal refusal_of(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 503: return HttpRefusal::kRetry;
    case 413: return HttpRefusal::kTooLarge;
    case 501: return HttpRefusal::kPark;
    default: break;
  }
  if (status >= 500) return HttpRefusal::kUnclear;
  return status >= 400 ? HttpRefusal::kPark : HttpRefusal::kRetry;
}

Verdict verdict_of(HttpRefusal refusal, const HttpResponse& answer, std::string words) {
  switch (refusal) {
    case HttpRefusal::kRetry: return Retry{std::move(words), retry_after(answer)};
    case HttpRefusal::kUnclear: return Retry{std::move(words), retry_after(answer), true};
    case HttpRefusal::kTooLarge: return TooLarge{std::move(words)};
    case HttpRefusal::kPark: break;
  }
  return Park{std::move(words)};
}

Verdict judge_silence(const HttpResponse& answer, std::uint64_t records) {
  // Options that cannot be applied stay so; all else passes, a portal's certificate too.
  if (answer.failure == HttpFailure::kSetup) return Park{answer.problem};
  // It would be as long the next time.
  if (answer.failure == HttpFailure::kTooLong && records > 1) return TooLarge{answer.problem};
  return Retry{answer.problem, {}, answer.maybe_arrived};
}

Verdict judge_unmade(const Error& why) {
  return why.code == ErrorCode::kFull ? Verdict(TooLarge{why.message}) : judge_unsent(why);
}

bool host_fails(const HttpResponse& answer) {
  return answer.status == 429 || (answer.status >= 502 && answer.status <= 504);
}

}  // namespace edgehose
