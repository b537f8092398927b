// Opening: the slow part of a start (checking, salvaging, compacting the buffer) in a thread of its
// own, while main hears signals and systemd is asked for patience.
//
// Threading: made and used by main; only `work` runs in the other thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/run/notify.h"
#include "buffer/open_progress.h"

namespace edgehose {

class Opening {
 public:
  explicit Opening(std::function<Status()> work);
  ~Opening();  // waits for its end

  bool ended() const { return ended_; }
  int fd() const { return waker_.fd(); }  // readable when it has ended
  // What `work` returned; waits for it.
  Status result();

 private:
  Waker waker_;
  std::atomic<bool> ended_{false};
  Status status_;
  std::thread thread_;
};

// What is told meanwhile: systemd every kTellSystemd, with more time as long as it goes on; the log
// from kFirstLine on, every kTellLog. One that stands still for kOpeningSilence gets no more time.
class OpeningReport {
 public:
  OpeningReport(const OpenProgress& progress, Notifier& notifier, Instant now)
      : progress_(progress), notifier_(notifier), moved_(now), next_line_(now + kFirstLine) {}

  // Whether the watchdog bites already: then it is fed with each call for more time.
  void feed_watchdog(bool feed) { feed_ = feed; }
  // Tells what is due; when to call again.
  Instant step(Instant now);

  static constexpr Duration kTellSystemd = std::chrono::seconds(5);
  static constexpr Duration kPatience = std::chrono::seconds(30);  // asked for each time
  static constexpr Duration kFirstLine = std::chrono::seconds(3);
  static constexpr Duration kTellLog = std::chrono::seconds(30);
  static constexpr Duration kOpeningSilence = std::chrono::minutes(5);

 private:
  const OpenProgress& progress_;
  Notifier& notifier_;
  bool feed_ = false;
  std::uint64_t moves_ = 0;
  Instant moved_;
  Instant next_notice_{};
  Instant next_line_;
};

}  // namespace edgehose
