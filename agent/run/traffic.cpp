#include "agent/run/traffic.h"

#include <chrono>
#include <utility>

namespace edgehose {
namespace {

// Forward to a period that is not known. The present one may prove to be of a clock that was wrong:
// undated, or before a period that was seen already.
void turn_over(TrafficPeriod& period, std::uint32_t label) {
  TrafficSlot& now = period.now;
  TrafficSlot& other = period.other;
  const bool was_behind = other.label > now.label && other.label < label;
  if (now.label == kUndated || was_behind) {
    now.label = label;
    return;
  }
  // Still before the other one: that was the clock's future.
  if (other.label > label) now.bytes += other.bytes;
  other = std::exchange(now, {label, {}});
}

}  // namespace

LocalDate local_date(WallTime now, const TimeZone& zone) {
  const std::int64_t unix_seconds = now.value / 1'000'000'000;
  if (!is_plausible(now)) return {kUndated, kUndated};
  const std::chrono::sys_seconds local{
      std::chrono::seconds(unix_seconds + zone.at(unix_seconds).offset)};
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const int months = (static_cast<int>(date.year()) - 1970) * 12 +
                     static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  return {static_cast<std::uint32_t>(day.time_since_epoch().count()),
          static_cast<std::uint32_t>(months)};
}

void count(TrafficPeriod& period, const WireBytes& more, std::uint32_t label) {
  if (label == period.other.label) {  // the clock comes back: one of the two was wrong
    period.now.bytes += period.other.bytes;
    period.now.label = label;
    period.other = {};
  } else if (label > period.now.label) {
    turn_over(period, label);
  } else if (label < period.now.label) {
    period.other = std::exchange(period.now, {label, {}});
  }
  period.now.bytes += more;
}

void count(SinkTraffic& traffic, const WireBytes& more, const LocalDate& now) {
  traffic.ever += more;
  count(traffic.day, more, now.day);
  count(traffic.month, more, now.month);
}

WireBytes counted(TrafficPeriod period, std::uint32_t label) {
  count(period, {}, label);
  WireBytes bytes = period.now.bytes;
  // A period ahead: this clock is wrong, or that one was.
  if (period.other.label > period.now.label) bytes += period.other.bytes;
  return bytes;
}

TrafficMeter::TrafficMeter(TimeZone zone, const Clock& clock,
                           std::function<WireBytes()> since_start)
    : zone_(std::move(zone)), clock_(clock), since_start_(std::move(since_start)) {}

void TrafficMeter::begin(const SinkTraffic& saved) {
  const std::lock_guard lock(mutex_);
  traffic_ = saved;
}

SinkTraffic TrafficMeter::now() {
  const std::lock_guard lock(mutex_);
  const WireBytes all = since_start_();
  const WireBytes more = all.since(seen_);
  if (more != WireBytes{}) count(traffic_, more, local_date(clock_.wall(), zone_));
  seen_ = all;
  return traffic_;
}

}  // namespace edgehose
