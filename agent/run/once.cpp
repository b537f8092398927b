#include "agent/run/once.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "agent/base/text.h"

namespace edgehose {
namespace {

// Two reads of the store are two moments: a difference below zero is one of nothing.
std::uint64_t since(std::uint64_t start, std::uint64_t now) { return now - std::min(start, now); }
Counter since(const Counter& start, const Counter& now) {
  return {since(start.records, now.records), since(start.bytes, now.bytes)};
}

template <class State, class Id>
const State* find_by(const std::vector<State>& states, Id State::*member, const Id& id) {
  const auto found = std::find_if(states.begin(), states.end(),
                                  [&](const State& state) { return state.*member == id; });
  return found == states.end() ? nullptr : &*found;
}

// As it was at the start; what was not there yet had counted nothing.
template <class State, class Id>
State before(const std::vector<State>& start, Id State::*member, const State& now) {
  const State* const found = find_by(start, member, now.*member);
  return found == nullptr ? State{} : *found;
}

Counter given_up(const LaneState& lane) {
  Counter sum = lane.dead_lettered;
  for (const Counter& dropped : lane.dropped) sum += dropped;
  return sum;
}

using Drops = decltype(LaneState::dropped);

Drops drops_since(SinkId sink, const Ledger& start, const Ledger& now) {
  Drops drops{};
  for (const LaneState& lane : now.lanes) {
    if (lane.key.sink != sink) continue;
    const LaneState earlier = before(start.lanes, &LaneState::key, lane);
    for (std::size_t i = 0; i < drops.size(); ++i)
      drops[i] += since(earlier.dropped[i], lane.dropped[i]);
  }
  return drops;
}

std::string amount(const Counter& counter) {
  return fmt::format("{}, {},", format_count(counter.records, "record"),
                     format_size(counter.bytes));
}

constexpr std::string_view words(DropReason reason) {
  switch (reason) {
    case DropReason::kBufferFull: return "the buffer was full";
    case DropReason::kCorrupt: return "their blocks in the buffer are damaged";
    case DropReason::kForgotten: return "a person had the agent forget them";
    case DropReason::kCount_: break;
  }
  return "";
}

std::string in_brackets(const Counter& counter) {
  return fmt::format("{} ({})", format_count(counter.records, "record"),
                     format_size(counter.bytes));
}

// What a sink gave up of itself: not what a person did.
std::string lost_words(const Drops& drops, const Counter& refused) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < drops.size(); ++i)
    if (const auto why = static_cast<DropReason>(i);
        why != DropReason::kForgotten && drops[i].records > 0)
      parts.push_back(fmt::format("{} dropped ({})", in_brackets(drops[i]), words(why)));
  if (refused.records > 0) parts.push_back(in_brackets(refused) + " refused for good");
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

Result<Ledger> read_ledger(Store& store) {
  Ledger ledger;
  EH_ASSIGN(ledger.sources, store.sources());
  EH_ASSIGN(ledger.sinks, store.sinks());
  EH_ASSIGN(ledger.lanes, store.lanes());
  return ledger;
}

Losses losses_since(const Ledger& start, const Ledger& now,
                    const std::map<std::string, Counter>& refused) {
  std::vector<std::string> lost, by_hand;
  for (const SinkState& sink : now.sinks) {
    const Drops drops = drops_since(sink.id, start, now);
    const auto dead = refused.find(sink.name);
    const std::string gave_up = lost_words(drops, dead == refused.end() ? Counter{} : dead->second);
    if (!gave_up.empty()) lost.push_back(fmt::format("sink {}: {}", sink.name, gave_up));
    const Counter& forgotten = drops[static_cast<std::size_t>(DropReason::kForgotten)];
    if (forgotten.records > 0)
      by_hand.push_back(fmt::format("sink {}: {}", sink.name, in_brackets(forgotten)));
  }
  for (const SourceState& source : now.sources) {
    const Counter not_taken =
        since(before(start.sources, &SourceState::id, source).not_taken, source.not_taken);
    if (not_taken.records > 0)
      lost.push_back(fmt::format("source {}: {} not taken ({})", source.name,
                                 in_brackets(not_taken), words(DropReason::kBufferFull)));
  }
  return {fmt::format("{}", fmt::join(lost, "; ")), fmt::format("{}", fmt::join(by_hand, "; "))};
}

// Stranded lanes too: what they hold is not delivered.
bool OnceReport::configured(const LaneState& lane, const Ledger& now) const {
  const SinkState* const sink = find_by(now.sinks, &SinkState::id, lane.key.sink);
  const SourceState* const source = find_by(now.sources, &SourceState::id, lane.key.source);
  if (sink == nullptr || source == nullptr) return false;
  return find_by(sinks_, &SinkInputs::name, sink->name) != nullptr;
}

void OnceReport::count(const Ledger& now, Progress& progress) const {
  for (const SourceState& source : now.sources) {
    std::uint64_t earlier = 0, records = 0, waiting = 0, missed = 0;
    for (const LaneState& lane : now.lanes) {
      if (lane.key.source != source.id || !configured(lane, now)) continue;
      const LaneState start = before(start_.lanes, &LaneState::key, lane);
      const std::uint64_t backlog = start.buffered().records;
      const std::uint64_t left = lane.buffered().records;
      earlier = std::max(earlier, backlog);
      records = std::max(records, backlog + since(start.committed.records, lane.committed.records));
      waiting = std::max(waiting, left);
      missed = std::max(missed, left + since(given_up(start).records, given_up(lane).records));
    }
    const SourceState start = before(start_.sources, &SourceState::id, source);
    progress.earlier += earlier;
    progress.records += records + since(start.not_taken.records, source.not_taken.records);
    progress.waiting += waiting;
    progress.delivered += since(missed, records);
  }
}

std::vector<std::string> OnceReport::unfinished(
    const Ledger& now, const std::vector<SourceHealth>& sources,
    const std::map<std::string, std::string>& errors) const {
  std::vector<std::string> lines;
  for (const SourceHealth& source : sources)
    if (source.behind_bytes > 0)
      lines.push_back(fmt::format("source {}: {} are not in the buffer yet", source.name,
                                  format_size(source.behind_bytes)));
  for (const SinkState& sink : now.sinks) {
    Counter waiting;
    for (const LaneState& lane : now.lanes)
      if (lane.key.sink == sink.id && configured(lane, now)) waiting += lane.buffered();
    if (waiting.records == 0) continue;
    const auto error = errors.find(sink.name);
    const bool failed = error != errors.end() && !error->second.empty();
    lines.push_back(fmt::format("sink {}: {} wait{}", sink.name, amount(waiting),
                                failed ? ": " + error->second : ""));
  }
  return lines;
}

std::vector<std::string> OnceReport::shortfalls(const Ledger& now,
                                                const std::vector<SourceHealth>& sources) const {
  std::vector<std::string> lines;
  for (const SourceHealth& source : sources) {
    // What vanished is counted by its source: it is not there to be read.
    if (source.unreadable)
      lines.push_back(fmt::format("source {}: {}", source.name, source.problem));
  }
  for (const SourceState& source : now.sources) {
    const SourceState start = before(start_.sources, &SourceState::id, source);
    if (const Counter lost = since(start.not_taken, source.not_taken); lost.records > 0)
      lines.push_back(fmt::format("source {}: {} dropped: {}", source.name, amount(lost),
                                  words(DropReason::kBufferFull)));
  }
  for (const LaneState& lane : now.lanes) {
    if (!configured(lane, now)) continue;
    const LaneState start = before(start_.lanes, &LaneState::key, lane);
    const std::string where =
        fmt::format("sink {}, source {}", find_by(now.sinks, &SinkState::id, lane.key.sink)->name,
                    find_by(now.sources, &SourceState::id, lane.key.source)->name);
    for (std::size_t i = 0; i < lane.dropped.size(); ++i)
      if (const Counter lost = since(start.dropped[i], lane.dropped[i]); lost.records > 0)
        lines.push_back(fmt::format("{}: {} dropped: {}", where, amount(lost),
                                    words(static_cast<DropReason>(i))));
    if (const Counter refused = since(start.dead_lettered, lane.dead_lettered); refused.records > 0)
      lines.push_back(
          fmt::format("{}: {} refused and kept as dead letters (edgehose "
                      "dead-letters list)",
                      where, amount(refused)));
  }
  for (const StrandedLane& lane : stranded_lanes(sinks_, now.sinks, now.sources, now.lanes, {}))
    lines.push_back(lane.text());
  return lines;
}

}  // namespace edgehose
