#include "sinks/elasticsearch/search_probe.h"

#include "agent/base/text.h"
#include "sinks/aws/digest.h"
#include "sinks/elasticsearch/search_error.h"
#include "sinks/events/carrier.h"

namespace edgehose {
namespace {

class Probe {
 public:
  Probe(SearchProbeOptions options, EventsAuth auth, Clock& clock)
      : endpoints_(std::move(options.config.endpoints)),
        limit_(options.limit),
        deadline_(clock.now() + options.limit),
        clock_(clock),
        carrier_(carrier_options(options, std::move(auth)), clock) {}

  std::vector<Trial> run() {
    for (std::string endpoint : endpoints_) {
      while (endpoint.ends_with('/')) endpoint.pop_back();
      if (const Status tried = try_host(endpoint); !tried)
        tell(Trial::Outcome::kFailed, tried.error().message);
    }
    return std::move(trials_);
  }

 private:
  static CarrierOptions carrier_options(const SearchProbeOptions& options, EventsAuth auth) {
    CarrierOptions carrier{options.config.common.name, std::move(auth), options.config.credentials,
                           options.http};
    carrier.http.config = options.config.http;
    carrier.remedy = search_remedy;
    carrier.environment = options.environment;
    return carrier;
  }
  void tell(Trial::Outcome outcome, std::string what) {
    trials_.push_back({outcome, std::move(what)});
  }
  Status try_host(const std::string& endpoint);
  Result<HttpResponse> exchange(const std::string& endpoint, HttpRequest request);

  const std::vector<std::string> endpoints_;
  const Duration limit_;
  const Instant deadline_;
  Clock& clock_;
  Carrier carrier_;
  std::uint64_t next_id_ = 1;
  std::vector<Trial> trials_;
};

// "request body is required": of whoever would have taken one.
bool wants_a_body(const HttpResponse& answer) {
  const SearchError error = read_search_error(answer);
  return answer.status == 400 &&
         (error.type == "parse_exception" || error.type == "action_request_validation_exception");
}

std::string reason_of(const Verdict& verdict) {
  if (const auto* retry = std::get_if<Retry>(&verdict)) return retry->reason;
  if (const auto* park = std::get_if<Park>(&verdict)) return park->reason;
  return std::get<TooLarge>(verdict).reason;
}

Status Probe::try_host(const std::string& endpoint) {
  EH_ASSIGN(const HttpResponse about, exchange(endpoint, {.method = "GET", .url = endpoint + "/"}));
  const std::string who = describe_server(about);
  tell(Trial::Outcome::kGood,
       fmt::format("{}: {}{}", endpoint,
                   about.verified ? "TLS with a verified certificate" : "no verified TLS",
                   who.empty() ? "" : ", " + who));
  EH_ASSIGN(const HttpResponse bulk,
            exchange(endpoint, {.method = "POST", .url = endpoint + "/_bulk"}));
  if (wants_a_body(bulk) || bulk.succeeded())
    tell(Trial::Outcome::kGood, endpoint + ": bulk requests are taken, with these credentials");
  else
    tell(Trial::Outcome::kFailed,
         fmt::format("{}: {}", endpoint, reason_of(judge_search_refusal(bulk, 0))));
  return {};
}

Result<HttpResponse> Probe::exchange(const std::string& endpoint, HttpRequest request) {
  EH_TRY(carrier_.start(next_id_++, std::move(request), aws::sha256_hex({})));
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

}  // namespace

std::vector<Trial> try_search(SearchProbeOptions options, Clock& clock) {
  auto auth = with_region(options.config.auth, options.config.endpoints.front());
  if (!auth) return {{Trial::Outcome::kFailed, auth.error().message}};
  return Probe(std::move(options), *std::move(auth), clock).run();
}

}  // namespace edgehose
