#include "sinks/events/status_verdict.h"

#include "sinks/http/retry_after.h"

namespace edgehose {
namespace {

// Of such a service, rather than a portal's or a proxy's page.
bool begins_as_json(std::string_view body) {
  const std::size_t at = body.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && body[at] == '{';
}

}  // namespace

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

Verdict of_batch(Verdict verdict, const HttpResponse& answer) {
  if (auto* const park = std::get_if<Park>(&verdict))
    park->of_batch = answer.status != 401 && answer.status != 407;
  return verdict;
}

Verdict judge_silence(const HttpResponse& answer) {
  // Options that cannot be applied stay so; all else passes, a portal's certificate too.
  if (answer.failure == HttpFailure::kSetup) return Park{answer.problem};
  if (answer.failure != HttpFailure::kTooLong)
    return Retry{answer.problem, {}, answer.maybe_arrived};
  // It would be as long the next time.
  if (begins_as_json(answer.body))
    return TooLarge{.reason = answer.problem, .maybe_arrived = answer.maybe_arrived};
  return Retry{answer.problem +
                   ", and not in the service's words: it may be of something between "
                   "here and there",
               {},
               answer.maybe_arrived};
}

Verdict judge_unmade(const Error& why) {
  if (why.code == ErrorCode::kFull) return TooLarge{.reason = why.message, .unsent = true};
  return judge_unsent(why);
}

bool host_fails(const HttpResponse& answer) {
  if (answer.failure == HttpFailure::kTooLong || answer.succeeded())
    return !begins_as_json(answer.body);
  return answer.status == 429 || (answer.status >= 502 && answer.status <= 504);
}

bool host_refuses(const HttpResponse& answer) {
  const int status = answer.status;
  return status == 401 || status == 403 || status == 404 || status == 405;
}

}  // namespace edgehose
