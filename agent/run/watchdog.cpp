#include "agent/run/watchdog.h"

#include <algorithm>

#include "agent/base/log_event.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr Duration kAskAgain = std::chrono::seconds(1);  // while a loop is wedged

}  // namespace

bool Watchdog::due(Instant now, std::span<const LoopSilence> loops) {
  if (!interval_ || now < next_) return false;
  const auto wedged = std::ranges::find_if(
      loops, [](const LoopSilence& loop) { return loop.silence > loop.limit; });
  if (wedged != loops.end()) {
    if (wedged_.empty())
      log::error(
          "watchdog: {} has not been heard of for {}; "
          "unless it goes on, systemd restarts the agent",
          wedged->name,
          format_duration(std::chrono::duration_cast<std::chrono::seconds>(wedged->silence)));
    wedged_ = wedged->name;
    return false;
  }
  if (!wedged_.empty()) log::event(log::Level::kInfo, "watchdog: {} goes on", wedged_);
  wedged_.clear();
  next_ = now + *interval_;
  return true;
}

Instant Watchdog::next(Instant now) const {
  if (!interval_) return kNever;
  return next_ > now ? next_ : now + std::min(kAskAgain, *interval_);
}

}  // namespace edgehose
