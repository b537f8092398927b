// The network as the process sees it: this program's own HttpClient (network.cpp defines it in the
// place of sinks/http/http_client.cpp), so that the sinks' real transports ask simulated servers. A
// request is under way until the plan answers it: well, badly, or with the answer lost; or until it
// was silent for too long.
//
// A request's bytes are read when it is started, as by one that has sent them.
//
// Threading: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "tests/sim/plan.h"
#include "tests/sim/servers.h"

namespace edgehose::sim {

// What becomes of a request on its way there and back.
enum class Fate : std::uint8_t {
  kAnswered,
  kBusy,       // the server has no room for it now, or for some of it
  kUnreached,  // nobody listens
  kLost,       // it is served, and the answer does not come back
  kDenied,
  kStranger,  // somebody else answers: 200, and a page
  kCount_,
};

// All that a request's body holds.
Result<std::string> read_all(ByteSource& source);

namespace network {

// Forgets everything; all hosts are there, and count time from this moment on. Servers and clock
// outlive what comes.
void begin(Servers& servers, const Clock& clock);

struct Load {
  std::size_t all = 0, with_body = 0;
};
Load under_way();
Load under_way(std::string_view sink);
// `which`: any number. `twice`: it is sent again over a fresh connection, which clients do by
// themselves where a request may come twice.
void answer(std::size_t which, Fate fate, bool twice, Random& chance);

// Nobody listens there from now on, or somebody does again.
void turn(std::string_view sink, unsigned host);
void all_are_there();

// What was given up, or whose client is gone, may still arrive.
std::size_t late();
void arrive_late(std::size_t which, Random& chance);
void never_arrive(std::size_t which);

}  // namespace network
}  // namespace edgehose::sim
