// What a courier's sink learns of its destination: read, learned, told to intake.
#include "sinks/delivery/courier.h"

namespace edgehose {

// Reads the sink's note: at first, and before a probe, since a person may have cleared it. A note
// that was learned here counts until the store was seen to have it.
Status Courier::load_note(SinkId id) {
  EH_ASSIGN(const std::vector<SinkState> sinks, store_.sinks());
  std::string stored;
  for (const SinkState& state : sinks)
    if (state.id == id) stored = state.note;
  const bool by_hand = note_changed_.exchange(false);
  if (!note_ || by_hand) note_persisted_ = true;
  if (!note_ || stored == *note_ || note_persisted_) {
    note_persisted_ = true;
    note_ = std::move(stored);
  }
  return {};
}

// That a key is refused is no news where the claim was cut under another note or config.
bool Courier::is_lesson(const Held& held, const Verdict& verdict) const {
  if (const auto* retry = std::get_if<Retry>(&verdict)) return retry->lesson;
  if (const auto* poll = std::get_if<Poll>(&verdict)) return poll->failure.empty();
  if (std::holds_alternative<KeyRefused>(verdict))
    return present_key(held.batch) == held.batch.claim.key;
  return !std::holds_alternative<Rejected>(verdict) && !std::holds_alternative<Park>(verdict);
}

void Courier::learn(const Held& held, const Response& response) {
  const std::optional<std::string> note = sink_->learn(*note_, response);
  if (!note || *note == *note_) return;
  note_ = *note;
  note_persisted_ = false;
  outcomes_.post(Learned{held.batch.claim.lane.sink, *note});
}

std::string Courier::present_key(const Batch& batch) const {
  return sink_->key(outline_of(batch.claim, batch.source, batch.epoch), *note_);
}

}  // namespace edgehose
