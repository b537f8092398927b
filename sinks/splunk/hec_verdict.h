// What a collector's answer to a request with events means for the records in it. Pure.
#pragma once

#include "sinks/events/status_verdict.h"
#include "sinks/sink.h"
#include "sinks/splunk/hec_answer.h"

namespace edgehose {

struct HecOptions {
  bool raw = false;         // its events are the server's own: a number tells of no record
  bool fixed_index = true;  // all go to one index, or to the token's
  bool ack = false;         // what is taken is asked after
  Duration ack_interval{};  // until then
};

// `response` has an answer (status not 0).
Verdict judge_hec(const HecOptions& options, const PostResponse& response);

// A refusal that says nothing of records: of a poll, a probe.
Verdict judge_hec_refusal(const HttpResponse& answer);
// Of how the host is, no answer included: no record was sent.
Verdict judge_hec_health(const HttpResponse& answer);

// --- what the transport asks (events/events_transport.h) -----------------------------------------

bool hec_refuses_gzip(const HttpResponse& answer);
// Of an answer to a GET of its health.
HostHealth hec_health(const HttpResponse& answer);

}  // namespace edgehose
