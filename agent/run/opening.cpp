#include "agent/run/opening.h"

#include <algorithm>
#include <utility>

#include "agent/base/log.h"

namespace edgehose {

Opening::Opening(std::function<Status()> work)
    : thread_([this, work = std::move(work)] {
        status_ = work();
        ended_ = true;
        waker_.wake();
      }) {}

Opening::~Opening() {
  if (thread_.joinable()) thread_.join();
}

Status Opening::result() {
  thread_.join();
  return std::move(status_);
}

Instant OpeningReport::step(Instant now) {
  if (const std::uint64_t moves = progress_.moves(); std::exchange(moves_, moves) != moves)
    moved_ = now;
  if (now >= next_notice_) {
    if (now - moved_ < kOpeningSilence) {
      notifier_.starting(progress_.words(), kPatience);
      if (feed_) notifier_.watchdog();
    }
    next_notice_ = now + kTellSystemd;
  }
  if (now >= next_line_) {
    log::info("start: {}", progress_.words());
    next_line_ = now + kTellLog;
  }
  return std::min(next_notice_, next_line_);
}

}  // namespace edgehose
