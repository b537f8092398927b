// What a healthy agent's log says: a summary at the start and a line every hour.
//
// Pure; the times are handed in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/types.h"

namespace edgehose {

struct StartFigures {
  std::string version, agent, data_dir;
  std::size_t sources = 0, sinks = 0;
  std::uint64_t used = 0, limit = 0;  // bytes of the buffer
  std::string profile;
  Duration commit_limit{};
};
std::vector<std::string> start_lines(const StartFigures& figures);

struct HourFigures {  // since the start, but the last two
  std::uint64_t records = 0, batches = 0, retries = 0;
  std::uint64_t behind = 0;           // bytes that are there and not yet in the buffer
  std::uint64_t used = 0, limit = 0;  // bytes of the buffer
};
std::string hour_line(const HourFigures& figures, Duration uptime);

// When it is time for that line: an hour after the start or the last one. Hours that nobody lived
// through (a suspend) are not made up for.
class Hourly {
 public:
  explicit Hourly(Instant start) : next_(start + kHour) {}
  bool due(Instant now) {
    if (now < next_) return false;
    next_ = now < next_ + kHour ? next_ + kHour : now + kHour;
    return true;
  }
  Instant next() const { return next_; }

 private:
  static constexpr Duration kHour = std::chrono::hours(1);
  Instant next_;
};

}  // namespace edgehose
