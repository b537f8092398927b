// What a person asks of the running agent (change.h); dead letters: delivered again, counted.
#include <algorithm>

#include "agent/base/log.h"
#include "agent/run/control.h"
#include "agent/run/intake.h"

namespace edgehose {
void Intake::connect_operator(Mailbox<ChangeOutcome>& outcomes, ChangeContext context) {
  outcomes_ = &outcomes;
  context_ = std::move(context);
}

// Each is a transaction of its own, at once: whatever fails in it touches nothing else.
void Intake::make_changes() {
  for (ChangeRequest& request : changes_.take()) {
    Result<ChangeReport> report = apply_change(store_, request.change, context_);
    if (report) {
      log::info("changed by hand: {}: {}", described(request.change), report->text);
      changed(request.change);
    }
    outcomes_->post({request.ticket, std::move(request.change), std::move(report)});
  }
}

// What the store does not have any more must not be claimed; what waits there is begun.
void Intake::changed(const ControlChange& change) {
  if (const auto* forget = std::get_if<ForgetSource>(&change)) {
    const auto gone = std::ranges::find_if(
        source_names_, [&](const auto& n) { return n.second == forget->source; });
    if (gone == source_names_.end()) return;
    for (SinkLink& sink : sinks_)
      std::erase_if(sink.lanes,
                    [&](const LanePlanner& l) { return l.lane().source == gone->first; });
    source_names_.erase(gone);
  }
  if (const auto* confirm = std::get_if<ConfirmSink>(&change))
    for (SinkLink& sink : sinks_)
      if (sink.config.name == confirm->sink) sink.set_note("");
  if (std::holds_alternative<ReplayLetters>(change))
    for (SinkLink& sink : sinks_) sink.replays_wait = true;
  look_for_batches_ = true;
}

void Intake::resume_replays(const std::vector<Claim>& replays) {
  for (const Claim& replay : replays) {
    SinkLink* const sink = link(replay.lane.sink);
    if (sink == nullptr || !sink->has_lane(replay.lane)) continue;
    if (replay.key.empty()) {
      sink->replays_wait = true;
      continue;
    }
    Claim resumed = replay;
    resumed.resumed = true;
    sink->replays.emplace(replay.id, resumed);
    sink->courier->post(std::move(resumed));
  }
}

Instant Intake::replays_due() const {
  const bool begins = std::ranges::any_of(
      sinks_, [](const SinkLink& s) { return s.replays_wait && s.replays.empty(); });
  return begins ? clock_.now() : kNever;
}

Status Intake::begin_replays(Store::Transaction& transaction, Made& made) {
  std::vector<Claim> all;
  for (SinkLink& sink : sinks_) {
    if (!sink.replays_wait || !sink.replays.empty()) continue;
    if (all.empty()) {
      EH_ASSIGN(all, store_.replays());
    }
    EH_TRY(begin_next(transaction, sink, all, made));
  }
  return {};
}

// The earliest of a lane. One that is larger than a batch is halved; the next commit begins with
// what came of it.
Status Intake::begin_next(Store::Transaction& transaction, SinkLink& sink,
                          const std::vector<Claim>& all, Made& made) {
  const Claim* next = nullptr;
  for (const Claim& replay : all) {
    if (!replay.key.empty() || replay.lane.sink != sink.id || !sink.has_lane(replay.lane)) continue;
    const bool earlier =
        next == nullptr || (replay.lane == next->lane && replay.first < next->first);
    if (earlier) next = &replay;
  }
  sink.replays_wait = next != nullptr;
  if (next == nullptr) return {};
  if (next->size.bytes > sink.max_size() && next->letters.size() > 1)
    return transaction.halve_replay(next->id, 0);
  const std::string rendering = sink.sink->rendering_at(clock_.wall());
  EH_ASSIGN(Claim begun, transaction.begin_replay(next->id, key_of(sink, *next), rendering));
  made.claims.emplace_back(&sink, std::move(begun));
  return {};
}

// What is refused again in a replay was a dead letter before, with a number.
void Intake::count_refused(const CourierEvent& event) {
  const auto* const settled = std::get_if<Settled>(&event);
  SinkLink* const sink = settled == nullptr ? nullptr : link(settled->sink);
  if (sink == nullptr) return;
  for (const DeadLetter& letter : settled->ack.dead)
    if (letter.id == 0) sink->refused += letter.size();
}

}  // namespace edgehose
