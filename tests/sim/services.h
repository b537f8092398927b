// The destinations' own way to be asked and to answer, in HTTP: S3's (with uploads in parts),
// Elasticsearch's bulk requests, Splunk's event collector.
//
// Threading: one thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/base/types.h"
#include "sinks/http_message.h"
#include "tests/sim/plan.h"
#include "tests/sim/servers.h"

namespace edgehose::sim {

// Hosts by the sinks that have them: "bucket.", "index-0.", "collector-1." begin their names.
std::string host_name(std::string_view sink, unsigned host);
bool is_host_of(std::string_view host, std::string_view sink);

// A request as it arrives.
struct Sent {
  std::string method, host, path, query;  // as they were sent: encoded
  std::map<std::string, std::string> headers;
  std::string body;
  bool once = false;  // HttpRequest::once
};

// What its server makes of it. `busy`: it has no room for it now, or for some of it. `late`: the
// life that sent it has ended. `now`: the time there. `chance`: of what a server does not say by
// itself.
HttpResponse serve(const Sent& request, Servers& servers, bool busy, bool late, WallTime now,
                   Random& chance);

// What says that the request's sender may not do that, and what comes from somebody else.
HttpResponse denial(const Sent& request);
HttpResponse stranger();

}  // namespace edgehose::sim
