// Watchdog: when systemd's watchdog is fed. The rule: on time, as long as every loop has been heard
// of lately; one that is wedged keeps it hungry, and systemd ends and restarts the process.
//
// A loop that works in small steps can still be silent in one system call on a slow device, so the
// limits are far above the slowest card (a commit of half a minute) and far below for ever.
//
// Threading: one thread (main). Invariant: where nobody waits (no interval), it is never due.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "agent/base/types.h"

namespace edgehose {

constexpr Duration kWedgedIntake = std::chrono::minutes(2);
// Not counted while it hangs in a system call on its destination: a restart would hang there again.
constexpr Duration kWedgedCourier = std::chrono::minutes(5);

struct LoopSilence {
  std::string name;    // "intake", "sink archive"
  Duration silence{};  // since it should have been heard of
  Duration limit{};    // it is wedged beyond
};

class Watchdog {
 public:
  // `interval`: how often to feed it. None: nobody waits.
  explicit Watchdog(std::optional<Duration> interval) : interval_(interval) {}

  // Whether to feed it now. Logs once which loop is wedged, and that it goes on.
  bool due(Instant now, std::span<const LoopSilence> loops);
  // When to ask again.
  Instant next(Instant now) const;

 private:
  std::optional<Duration> interval_;
  Instant next_{};
  std::string wedged_;  // the loop that was told; empty: none is
};

}  // namespace edgehose
