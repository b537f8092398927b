// What a sink's traffic over the network comes to, today and this month, whatever clocks do.
//
// The wall clock of a gateway jumps: it boots in the past, or is set to a wrong future. Nothing
// that was counted is lost by that: two periods are kept, so that a clock that comes back finds its
// count, and what was counted under a clock that is proven wrong goes to the present period. So a
// figure may be a little high after a jump, and is never too low.
//
// Threading: functions are pure; TrafficMeter is for any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "agent/base/clock.h"
#include "agent/base/wire_bytes.h"
#include "buffer/state.h"
#include "sinks/object/time_zone.h"

namespace edgehose {

// A local date, as TrafficPeriod counts: days since 1970-01-01, months since 1970-01. Both are
// kUndated where the clock is plainly wrong (before 2023).
struct LocalDate {
  std::uint32_t day = 0, month = 0;
};
LocalDate local_date(WallTime now, const TimeZone& zone);
constexpr std::uint32_t kUndated = 1;

// `label`: the day or month that it is now.
void count(TrafficPeriod& period, const WireBytes& more, std::uint32_t label);
void count(SinkTraffic& traffic, const WireBytes& more, const LocalDate& now);
// What was counted in the period that it is now.
WireBytes counted(TrafficPeriod period, std::uint32_t label);

// The traffic of one sink: what earlier lives counted, and what its connections say since.
class TrafficMeter {
 public:
  // `since_start` may be called from any thread, and outlives the meter.
  TrafficMeter(TimeZone zone, const Clock& clock, std::function<WireBytes()> since_start);
  void begin(const SinkTraffic& saved);  // once, before anybody asks
  SinkTraffic now();

 private:
  const TimeZone zone_;
  const Clock& clock_;
  const std::function<WireBytes()> since_start_;
  std::mutex mutex_;
  SinkTraffic traffic_;
  WireBytes seen_;  // of since_start_, in traffic_ already
};

}  // namespace edgehose
