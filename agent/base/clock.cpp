#include "agent/base/clock.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "agent/base/check.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxDescriptors = 64;

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  EH_CHECK(clock_gettime(id, &t) == 0);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// True if one was readable within the timeout (milliseconds, -1: no limit).
bool poll_readable(std::span<const int> descriptors, int timeout_ms) {
  EH_CHECK(descriptors.size() <= kMaxDescriptors);
  std::array<pollfd, kMaxDescriptors> fds;
  for (std::size_t i = 0; i < descriptors.size(); ++i) fds[i] = {descriptors[i], POLLIN, 0};
  return ::poll(fds.data(), descriptors.size(), timeout_ms) > 0;
}

class SystemClock final : public Clock {
 public:
  Instant now() const override { return Instant(Duration(read_clock(CLOCK_BOOTTIME))); }
  WallTime wall() const override { return WallTime(read_clock(CLOCK_REALTIME)); }

  void wait(std::span<const int> descriptors, Instant deadline) override {
    constexpr std::int64_t kLongest_ms = 3'600'000;
    std::int64_t timeout_ms = kLongest_ms;
    if (deadline != kNever) {
      const Duration left = std::max(deadline - now(), Duration::zero());
      // Rounded up: a wait that returns just before its deadline would spin.
      timeout_ms = std::min<std::int64_t>(kLongest_ms, (left.count() + 999'999) / 1'000'000);
    }
    poll_readable(descriptors, static_cast<int>(timeout_ms));
  }
};

}  // namespace

std::unique_ptr<Clock> make_system_clock() { return std::make_unique<SystemClock>(); }

void ManualClock::wait(std::span<const int> descriptors, Instant deadline) {
  if (poll_readable(descriptors, 0) || deadline == kNever || deadline <= now_) return;
  advance(deadline - now_);
}

void ManualClock::advance(Duration by) {
  now_ += by;
  wall_ = WallTime(wall_.value + by.count());
}

Waker::Waker() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { EH_CHECK(fd_ >= 0); }
Waker::~Waker() { ::close(fd_); }

void Waker::wake() {
  const std::uint64_t one = 1;
  // The only failure is a full counter, and then the owner is awake anyway.
  [[maybe_unused]] const ssize_t n = ::write(fd_, &one, sizeof one);
}

void Waker::drain() {
  std::uint64_t count;
  [[maybe_unused]] const ssize_t n = ::read(fd_, &count, sizeof count);
}

}  // namespace edgehose
