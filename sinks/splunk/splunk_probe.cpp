#include "sinks/splunk/splunk_probe.h"

#include <fmt/format.h>

#include "sinks/events/host_probe.h"
#include "sinks/splunk/hec_answer.h"
#include "sinks/splunk/hec_verdict.h"
#include "sinks/splunk/splunk_sink.h"

namespace edgehose {
namespace {

using Outcome = Trial::Outcome;

constexpr int kNoData = 5;        // of a request without events: the token and the channel are good
constexpr int kAckDisabled = 14;  // HEC codes, see hec_codes.h

// No batch is sent on it.
constexpr const char* kChannel = "5ede6e1e-0000-4000-8000-65646765686f";

class SplunkProbe {
 public:
  SplunkProbe(const SplunkProbeOptions& options, Clock& clock)
      : config_(options.config),
        probe_({config_.common.name, splunk_auth(config_), {}, http_options(options)},
               options.limit, clock) {}

  std::vector<Trial> run() {
    for (std::string endpoint : config_.endpoints) {
      while (endpoint.ends_with('/')) endpoint.pop_back();
      if (const Status tried = try_host(endpoint); !tried)
        probe_.tell(Outcome::kFailed, tried.error().message);
    }
    return probe_.take();
  }

 private:
  static HttpClientOptions http_options(const SplunkProbeOptions& options) {
    HttpClientOptions http = options.http;
    http.config = options.config.http;
    return http;
  }
  Status try_host(const std::string& endpoint);
  Status try_events(const std::string& endpoint);
  Status try_acks(const std::string& endpoint);
  Result<HttpResponse> post(const std::string& endpoint, const std::string& target,
                            std::string text);

  const SplunkConfig config_;
  HostProbe probe_;
};

Status SplunkProbe::try_host(const std::string& endpoint) {
  EH_ASSIGN(const HttpResponse health,
            probe_.exchange(endpoint,
                            {.method = "GET", .url = endpoint + hec_health_target(config_.ack)}));
  probe_.tell(Outcome::kGood, describe_connection(endpoint, health));
  if (hec_health(health) == HostHealth::kUnwell)
    probe_.tell(Outcome::kFailed,
                fmt::format("{}: {}", endpoint, reason_of(judge_hec_refusal(health))));
  EH_TRY(try_events(endpoint));
  return try_acks(endpoint);
}

Status SplunkProbe::try_events(const std::string& endpoint) {
  const bool raw = config_.format == EventFormat::kRaw;
  const std::string target = raw ? "/services/collector/raw" : "/services/collector/event";
  EH_ASSIGN(const HttpResponse answer, post(endpoint, target, ""));
  if (read_hec_answer(answer).code == kNoData)
    probe_.tell(
        Outcome::kGood,
        endpoint + ": events are taken, with this token; whether its index is, the first shows");
  else
    probe_.tell(Outcome::kFailed,
                fmt::format("{}: {}", endpoint, reason_of(judge_hec_refusal(answer))));
  return {};
}

// An id that no server has given is not acknowledged; where there is no such thing that is said.
Status SplunkProbe::try_acks(const std::string& endpoint) {
  EH_ASSIGN(const HttpResponse answer,
            post(endpoint, "/services/collector/ack", fmt::format("{{\"acks\":[{}]}}", kNoAckId)));
  const bool acknowledges = read_acks(answer).has_value();
  const bool disabled = read_hec_answer(answer).code == kAckDisabled;
  if (config_.ack && acknowledges)
    probe_.tell(Outcome::kGood, endpoint + ": acknowledgements are given");
  else if (config_.ack)
    probe_.tell(Outcome::kFailed, fmt::format("{}: acknowledgements: {}", endpoint,
                                              reason_of(judge_hec_refusal(answer))));
  else if (acknowledges && !disabled)
    probe_.tell(Outcome::kWarning,
                endpoint +
                    ": the token has indexer acknowledgement enabled, and nobody asks for "
                    "it: set ack = true, or disable it there");
  return {};
}

Result<HttpResponse> SplunkProbe::post(const std::string& endpoint, const std::string& target,
                                       std::string text) {
  HttpRequest request{.method = "POST", .url = endpoint + target};
  const bool raw = target.ends_with("/raw");
  request.headers = {{"X-Splunk-Request-Channel", kChannel},
                     {"content-type", raw ? "text/plain" : "application/json"}};
  request.body = body_of(std::move(text));
  return probe_.exchange(endpoint, std::move(request));
}

}  // namespace

std::vector<Trial> try_splunk(SplunkProbeOptions options, Clock& clock) {
  return SplunkProbe(options, clock).run();
}

}  // namespace edgehose
