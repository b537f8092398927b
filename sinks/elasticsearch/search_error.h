// What a search server says where it refuses a whole request, and what follows from it. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "sinks/aws_client/aws_client.h"
#include "sinks/events/status_verdict.h"
#include "sinks/http_message.h"
#include "sinks/sink.h"

namespace edgehose {

struct SearchError {
  std::string type;    // "security_exception"; empty: it has not said one
  std::string reason;  // its words, printable and short
};

// Of {"error":{"type","reason"},"status"}, {"error":"words"}, and AWS's {"message":"words"}.
SearchError read_search_error(const HttpResponse& answer);

// Of an answer with a status that is not 2xx. `bytes`: of the request's body, uncompressed.
Verdict judge_search_refusal(const HttpResponse& answer, std::uint64_t bytes);

// --- what the transport asks (events/events_transport.h) -----------------------------------------

// Some versions take a gzipped body for text: "must be terminated by a newline".
bool refuses_gzip(const HttpResponse& answer);
// Whether another time or other credentials would help a signed request.
Remedy search_remedy(const HttpResponse& answer);
// As host_refuses() (events/status_verdict.h); not where it speaks of the cluster.
bool search_host_refuses(const HttpResponse& answer);
// What the answer to GET / says, before a body goes: a wrong password, a host that is busy, and a
// page are known by it. Who may not ask for it may create documents nevertheless.
HostHealth search_health(const HttpResponse& answer);
// Where that stands for the request's answer.
Verdict judge_search_health(const HttpResponse& answer);
// "OpenSearch 2.19.4", of the answer to GET /; "Elasticsearch" where that is refused; empty: it
// does not say.
std::string describe_server(const HttpResponse& answer);

}  // namespace edgehose
