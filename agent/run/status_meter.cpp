#include "agent/run/status_meter.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr double kMemorySeconds = 600.0;            // of the growth rate
constexpr double kLongestSeconds = 30.0 * 86400.0;  // a longer time until full says nothing
constexpr double kEnoughSeconds = 60.0;             // before an estimate is worth showing

double seconds_between(Instant a, Instant b) {
  return std::chrono::duration<double>(b - a).count();
}

std::optional<std::uint64_t> process_bytes_written() {
  const auto text = read_file("/proc/self/io", 4096);
  if (!text) return std::nullopt;
  constexpr std::string_view kField = "\nwrite_bytes: ";
  const std::size_t at = text->find(kField);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(text->c_str() + at + kField.size(), nullptr, 10);
}

// A day's worth at the rate between two counts; none before it says anything.
std::optional<double> per_day(std::optional<std::uint64_t> first, std::optional<std::uint64_t> last,
                              double seconds) {
  if (!first || !last || *last < *first || seconds < kEnoughSeconds) return std::nullopt;
  return static_cast<double>(*last - *first) / seconds * 86400.0;
}

}  // namespace

Written bytes_written_by_now(const Device& device) {
  return {process_bytes_written(), bytes_written(device)};
}

void BufferMeter::sample(Instant now, const StoreUsage& usage, const Written& written) {
  if (!first_) first_ = Sample{now, usage, written};
  if (last_ && now > last_->at) {
    const double seconds = seconds_between(last_->at, now);
    const double keep = std::exp(-seconds / kMemorySeconds);
    const double grown = static_cast<double>(usage.used) - static_cast<double>(last_->usage.used);
    growth_ = growth_ * keep + grown / seconds * (1.0 - keep);
    growth_weight_ = growth_weight_ * keep + (1.0 - keep);
  }
  last_ = Sample{now, usage, written};
}

BufferRates BufferMeter::rates() const {
  BufferRates rates;
  if (!first_ || !last_) return rates;
  const StoreUsage& usage = last_->usage;
  const Written &from = first_->written, &to = last_->written;
  const double seconds = seconds_between(first_->at, last_->at);
  // A burst at the start would say that it is full in seconds.
  if (seconds >= kEnoughSeconds && growth_ > 0.0 && usage.room() > 0) {
    const double left = static_cast<double>(usage.room()) / (growth_ / growth_weight_);
    if (left < kLongestSeconds)
      rates.full_in = std::chrono::seconds(static_cast<std::int64_t>(left));
  }
  rates.writes_per_day = per_day(from.process, to.process, seconds);
  rates.device_per_day = per_day(from.device, to.device, seconds);
  const std::uint64_t raw = usage.committed_raw - first_->usage.committed_raw;
  if (raw > 0 && from.process && to.process)
    rates.write_ratio = static_cast<double>(*to.process - *from.process) / static_cast<double>(raw);
  return rates;
}

}  // namespace edgehose
