#include "agent/run/intake_thread.h"

#include <array>

#include "agent/base/log_event.h"

namespace edgehose {

IntakeThread::IntakeThread(Intake& intake, Store& store, Clock& clock, Waker& waker)
    : intake_(intake), store_(store), clock_(clock), waker_(waker), thread_([this] { run(); }) {}

IntakeThread::~IntakeThread() {
  request_stop();
  if (thread_.joinable()) thread_.join();
}

void IntakeThread::request_stop() {
  stop_ = true;
  waker_.wake();
}

bool IntakeThread::wait_stopped(Instant deadline) {
  const std::array<int, 1> fds{ended_waker_.fd()};
  while (!ended_ && clock_.now() < deadline) clock_.wait(fds, deadline);
  return ended_;
}

void IntakeThread::run() {
  while (!stop_) {
    intake_.heartbeat().working(clock_.now());
    const Instant next = intake_.step();
    if (stop_) break;
    intake_.heartbeat().sleeping(next);
    const std::vector<int> fds = intake_.descriptors();
    clock_.wait(fds, next);
  }
  intake_.heartbeat().working(clock_.now());
  if (const Status status = intake_.stop(); !status)
    log::event(log::Level::kWarn,
               "stop: the last commit failed, its records are read again at the next start: {}",
               status.error().message);
  if (const Status status = store_.close(); !status)
    log::event(log::Level::kWarn, "stop: the buffer was not closed cleanly: {}",
               status.error().message);
  ended_ = true;
  ended_waker_.wake();
}

}  // namespace edgehose
