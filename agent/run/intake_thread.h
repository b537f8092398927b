// IntakeThread: the loop around intake: step, then wait for its descriptors or its next wish; at
// the end one last commit.
//
// Threading: made, stopped and destroyed by main.
#pragma once

#include <atomic>
#include <thread>

#include "agent/base/clock.h"
#include "agent/run/intake.h"

namespace edgehose {

class IntakeThread {
 public:
  // All of them outlive it.
  IntakeThread(Intake& intake, Store& store, Clock& clock, Waker& waker);
  ~IntakeThread();  // stops and waits

  // Asks for the last commit and the end; returns at once.
  void request_stop();
  // Waits until both are done, at most until `deadline`. False: it hangs in a system call on the
  // buffer's device: call _exit, not exit.
  bool wait_stopped(Instant deadline);

 private:
  void run();

  Intake& intake_;
  Store& store_;
  Clock& clock_;
  Waker& waker_;
  Waker ended_waker_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace edgehose
