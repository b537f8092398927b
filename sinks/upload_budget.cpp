#include "sinks/upload_budget.h"

#include <algorithm>
#include <cmath>

namespace edgehose {
namespace {

constexpr double kSmallestBurst = 16 << 10;
// Smaller writes cost more in headers than they gain in evenness.
constexpr double kSlice = 4 << 10;

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

UploadBudget::UploadBudget(std::uint64_t bytes_per_second)
    : rate_(static_cast<double>(std::max<std::uint64_t>(bytes_per_second, 1))),
      available_(capacity()) {}

double UploadBudget::capacity() const { return std::max(rate_ / 4, kSmallestBurst); }

void UploadBudget::refill(Instant now) {
  if (filled_ == Instant{}) filled_ = now;
  if (now <= filled_) return;
  available_ = std::min(capacity(), available_ + rate_ * seconds_of(now - filled_));
  filled_ = now;
}

std::size_t UploadBudget::take(Instant now, std::size_t want) {
  const std::lock_guard lock(mutex_);
  refill(now);
  if (available_ < std::min(kSlice, static_cast<double>(want))) return 0;
  const std::size_t granted = std::min(want, static_cast<std::size_t>(available_));
  available_ -= static_cast<double>(granted);
  return granted;
}

void UploadBudget::give_back(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  available_ += static_cast<double>(bytes);
}

void UploadBudget::charge(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  available_ -= static_cast<double>(bytes);
}

Instant UploadBudget::ready_at(Instant now) const {
  const std::lock_guard lock(mutex_);
  const double missing = kSlice - available_;
  if (missing <= 0) return now;
  return std::max(now,
                  filled_ + Duration(static_cast<std::int64_t>(std::ceil(missing / rate_ * 1e9))));
}

}  // namespace edgehose
