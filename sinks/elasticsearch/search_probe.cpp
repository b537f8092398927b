#include "sinks/elasticsearch/search_probe.h"

#include "sinks/elasticsearch/search_error.h"
#include "sinks/events/host_probe.h"

namespace edgehose {
namespace {

CarrierOptions carrier_options(const SearchProbeOptions& options, EventsAuth auth) {
  CarrierOptions carrier{options.config.common.name, std::move(auth), options.config.credentials,
                         options.http};
  carrier.http.config = options.config.http;
  carrier.remedy = search_remedy;
  carrier.environment = options.environment;
  return carrier;
}

// "request body is required": of whoever would have taken one.
bool wants_a_body(const HttpResponse& answer) {
  const SearchError error = read_search_error(answer);
  return answer.status == 400 &&
         (error.type == "parse_exception" || error.type == "action_request_validation_exception");
}

Status try_host(HostProbe& probe, const std::string& endpoint) {
  EH_ASSIGN(const HttpResponse about,
            probe.exchange(endpoint, {.method = "GET", .url = endpoint + "/"}));
  const std::string who = describe_server(about);
  probe.tell(Trial::Outcome::kGood,
             describe_connection(endpoint, about) + (who.empty() ? "" : ", " + who));
  EH_ASSIGN(const HttpResponse bulk,
            probe.exchange(endpoint, {.method = "POST",
                                      .url = endpoint + "/_bulk",
                                      .headers = {{"content-type", "application/x-ndjson"}}}));
  if (wants_a_body(bulk) || bulk.succeeded())
    probe.tell(Trial::Outcome::kGood,
               endpoint + ": bulk requests are taken, with these credentials");
  else
    probe.tell(Trial::Outcome::kFailed,
               fmt::format("{}: {}", endpoint, reason_of(judge_search_refusal(bulk, 0))));
  return {};
}

}  // namespace

std::vector<Trial> try_search(SearchProbeOptions options, Clock& clock) {
  auto auth = with_region(options.config.auth, options.config.endpoints.front());
  if (!auth) return {{Trial::Outcome::kFailed, auth.error().message}};
  HostProbe probe(carrier_options(options, *std::move(auth)), options.limit, clock);
  for (std::string endpoint : options.config.endpoints) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (const Status tried = try_host(probe, endpoint); !tried)
      probe.tell(Trial::Outcome::kFailed, tried.error().message);
  }
  return probe.take();
}

}  // namespace edgehose
