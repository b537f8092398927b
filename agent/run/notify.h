// Notifier: tells systemd what the process is doing (sd_notify(3)): one datagram to $NOTIFY_SOCKET,
// so no library is needed. Without that variable every call does nothing. `status` is one line that
// `systemctl status` shows.
//
// Threading: one thread (main).
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

class Notifier {
 public:
  // Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID.
  static Notifier from_environment();

  void ready(std::string_view status) { send(fmt::format("READY=1\nSTATUS={}", status)); }
  // Still starting: systemd waits this much longer for ready().
  void starting(std::string_view status, Duration longer);
  // A reload begins: READY=1 ends it.
  void reloading();
  void stopping() { send("STOPPING=1"); }
  void status(std::string_view status) { send(fmt::format("STATUS={}", status)); }
  void watchdog() { send("WATCHDOG=1"); }
  // How often watchdog() has to be called: half of what systemd waits. None: it does not wait.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  void send(std::string_view message);

  std::string address_;  // a path, or '@' and an abstract name; empty: nobody listens
  std::optional<Duration> watchdog_interval_;
};

}  // namespace edgehose
