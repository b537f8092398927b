#include "sinks/delivery/courier_thread.h"

#include <algorithm>

namespace edgehose {

CourierThread::CourierThread(std::unique_ptr<Courier> courier, Clock& clock)
    : courier_(std::move(courier)),
      clock_(clock),
      beat_(clock.now().time_since_epoch().count()),
      thread_([this] { run(); }) {}

CourierThread::~CourierThread() {
  request_stop();
  thread_.join();
}

void CourierThread::request_stop() {
  stop_ = true;
  courier_->waker().wake();
}

bool CourierThread::wait_stopped(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return ended_changed_.wait_for(lock, patience, [this] { return ended_; });
}

void CourierThread::run() {
  while (!stop_) {
    const Instant next = courier_->step();
    const Instant now = clock_.now();
    beat_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    if (next > now && !stop_)
      clock_.wait(courier_->descriptors(), std::min(next, now + kLongestWait));
  }
  courier_->stop();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  ended_changed_.notify_all();
}

}  // namespace edgehose
