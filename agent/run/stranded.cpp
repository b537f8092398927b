#include "agent/run/stranded.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/delivery/batch_config.h"

namespace edgehose {

std::string StrandedLane::text() const {
  return fmt::format(
      "{} ({}) of source {} wait for sink {}, whose inputs do not name it any more: add it there "
      "again, or give them up: edgehose buffer forget {} --source {}",
      format_count(waiting.records, "record"), format_size(waiting.bytes), source, sink, sink,
      source);
}

std::vector<StrandedLane> stranded_lanes(const std::vector<SinkInputs>& config,
                                         const std::vector<SinkState>& sinks,
                                         const std::vector<SourceState>& sources,
                                         const std::vector<LaneState>& lanes,
                                         const std::vector<Claim>& claims) {
  std::vector<StrandedLane> stranded;
  for (const LaneState& lane : lanes) {
    const auto sink = std::ranges::find(sinks, lane.key.sink, &SinkState::id);
    const auto source = std::ranges::find(sources, lane.key.source, &SourceState::id);
    if (sink == sinks.end() || source == sources.end()) continue;
    const auto inputs = std::ranges::find(config, sink->name, &SinkInputs::name);
    if (inputs == config.end() || takes(inputs->sources, source->name)) continue;
    Counter waiting = lane.buffered();
    for (const Claim& claim : claims) {
      if (claim.lane != lane.key || claim.done) continue;
      waiting.records -= std::min(waiting.records, claim.size.records);
      waiting.bytes -= std::min(waiting.bytes, claim.size.bytes);
    }
    if (waiting.records > 0) stranded.push_back({lane.key, sink->name, source->name, waiting});
  }
  return stranded;
}

}  // namespace edgehose
