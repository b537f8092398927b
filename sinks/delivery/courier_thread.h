// CourierThread: the loop around a courier: step, then wait for its descriptors or its next wish.
//
// Threading: made, stopped and destroyed by one thread; beat() is for any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/base/clock.h"
#include "sinks/delivery/courier.h"

namespace edgehose {

class CourierThread {
 public:
  // The clock outlives it.
  CourierThread(std::unique_ptr<Courier> courier, Clock& clock);
  ~CourierThread();  // stops and waits

  Courier& courier() const { return *courier_; }
  // When the loop last came round; it does at least every kLongestWait, unless a system call on the
  // destination hangs (a dying disk).
  Instant beat() const { return Instant(Duration(beat_.load(std::memory_order_relaxed))); }

  // Asks it to end; returns at once.
  void request_stop();
  // Waits until it has ended, at most `patience` (real time). False: it hangs in a system call on
  // the destination, where nothing can end it but the end of the process: call _exit, not exit.
  bool wait_stopped(std::chrono::milliseconds patience);

  static constexpr Duration kLongestWait = std::chrono::seconds(20);

 private:
  void run();

  const std::unique_ptr<Courier> courier_;
  Clock& clock_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;  // guarded by mutex_
  std::atomic<std::int64_t> beat_;
  std::thread thread_;
};

}  // namespace edgehose
