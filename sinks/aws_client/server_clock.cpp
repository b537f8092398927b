#include "sinks/aws_client/server_clock.h"

#include "sinks/http/retry_after.h"

namespace edgehose {

std::string_view verified_date(const HttpResponse& answer) {
  const std::string* date = answer.header("date");
  return answer.verified && date != nullptr ? *date : std::string_view();
}

bool ServerClock::learn(std::string_view date, WallTime local) {
  const auto server = parse_http_date(date);
  if (!server) return false;
  const Duration difference(server->value - local.value);
  const Duration to = std::chrono::abs(difference) > kTolerated ? difference : Duration{};
  // A date has whole seconds, and answers take their time: small steps are no news.
  if (std::chrono::abs(to - offset_) <= kTolerated && (to == Duration{}) == (offset_ == Duration{}))
    return false;
  offset_ = to;
  return true;
}

}  // namespace edgehose
