#include "agent/run/sink_link.h"

#include <algorithm>
#include <utility>

namespace edgehose {

std::size_t SinkLink::claims_of(SourceId source) const {
  return static_cast<std::size_t>(std::count_if(
      claims.begin(), claims.end(), [&](const auto& c) { return c.second.lane.source == source; }));
}

bool SinkLink::takes(const std::string& source) const {
  return edgehose::takes(config.inputs, source);
}

bool SinkLink::has_room(SourceId source) const {
  return problem.empty() && claims.size() < kMaxClaims && claims_of(source) < window();
}

// What may wait aside is shared, lest the lanes that come first leave nothing for the others.
std::size_t SinkLink::window() const {
  const std::size_t share = kMaxClaims / std::max<std::size_t>(lanes.size(), 1);
  const std::size_t aside = share - std::min<std::size_t>(share, config.concurrency);
  return config.concurrency + std::min<std::size_t>(config.unacknowledged, aside);
}

Instant SinkLink::batch_at() const {
  Instant at = kNever;
  for (const LanePlanner& lane : lanes) at = std::min(at, lane.ripe_at());
  return at;
}

bool SinkLink::has_lane(LaneKey lane) const {
  return std::any_of(lanes.begin(), lanes.end(),
                     [&](const LanePlanner& l) { return l.lane() == lane; });
}

void SinkLink::set_note(std::string learned) {
  note = std::move(learned);
  for (LanePlanner& lane : lanes) lane.limit_size(max_size());
}

std::uint64_t SinkLink::max_size() const {
  const std::uint64_t configured = config.batch.max_size;
  return std::min(configured, sink->size_limit(note).value_or(configured));
}

void SinkLink::set_problem(std::string reason) {
  if (reason == problem) return;
  problem = std::move(reason);
  holds->post(problem);
}

}  // namespace edgehose
