// What intake does when the buffer's file is deleted, moved or replaced under it.
//
// Sources wait then: what would be committed dies with the process. What is held goes out as soon
// as the sinks take it. Where the file comes back, or can be put back, all goes on.
#include "agent/base/log_event.h"
#include "agent/run/intake.h"

namespace edgehose {
namespace {

constexpr Duration kPlaceEvery = std::chrono::seconds(30);
constexpr Duration kLookAgain = std::chrono::seconds(5);  // while it is displaced

}  // namespace

void Intake::look_for_place() {
  beat();
  const Result<bool> held = store_.hold_place();
  const Instant now = clock_.now();
  next_place_look_ = now + (held ? kPlaceEvery : kLookAgain);
  if (!held) {
    if (displaced_.empty()) {
      displaced_since_ = now;
      look_for_batches_ = true;
      log::error("buffer: {}; sources wait, what is held is delivered", held.error().message);
    }
    displaced_ = held.error().message;
    return;
  }
  if (*held)
    log::error(
        "buffer: its files in data_dir were deleted under the agent and are put back; nothing "
        "is lost. Stop the agent before anything there is changed");
  if (!displaced_.empty())
    log::event(log::Level::kInfo, "buffer: it is in its place again, sources go on");
  displaced_.clear();
}

bool Intake::nothing_held() const {
  for (const SinkLink& sink : sinks_) {
    if (!sink.claims.empty() || !sink.replays.empty() || sink.replays_wait) return false;
    for (const LanePlanner& lane : sink.lanes)
      if (lane.has_pending()) return false;
  }
  return events_.empty();
}

}  // namespace edgehose
