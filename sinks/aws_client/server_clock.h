// ServerClock: the server's time, told from this machine's wall clock and what answers say. AWS
// refuses a signature that is 15 minutes off; a gateway's clock may be off by years.
//
// Only answers over TLS with a verified certificate are believed, those of services that give out
// credentials among them: without credentials no other comes. The machine's clock is never set.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <string_view>

#include "agent/base/types.h"
#include "sinks/http_message.h"

namespace edgehose {

// The Date of an answer that may be believed; empty: it has none, or may not.
std::string_view verified_date(const HttpResponse& answer);

class ServerClock {
 public:
  // Less is the way of the answer, and no reason to doubt this machine.
  static constexpr Duration kTolerated = std::chrono::minutes(4);

  // `date` is a verified one, `local` the wall clock when it came. True: the offset has changed.
  bool learn(std::string_view date, WallTime local);
  // What the server's clock says when this machine's says `local`.
  WallTime at(WallTime local) const { return WallTime(local.value + offset_.count()); }
  Duration offset() const { return offset_; }  // of the server's clock from ours; zero: it is right

 private:
  Duration offset_{};
};

}  // namespace edgehose
