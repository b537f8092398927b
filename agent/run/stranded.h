// Stranded lanes: records that wait for a sink of the config whose `inputs` do not name their
// source any more (it was renamed, or taken out). No batch is made of them; whoever looks is told.
//
// Threading: values and pure functions.
#pragma once

#include <string>
#include <vector>

#include "buffer/state.h"

namespace edgehose {

// A sink of the config and the sources that it takes; none: all.
struct SinkInputs {
  std::string name;
  std::vector<std::string> sources;
};

struct StrandedLane {
  LaneKey key;
  std::string sink, source;
  Counter waiting;  // in no batch: what is claimed is delivered

  // What waits, and what to do.
  std::string text() const;
};

// Those that hold something. `claims`: the unsettled ones; none: all that waits is told.
std::vector<StrandedLane> stranded_lanes(const std::vector<SinkInputs>& config,
                                         const std::vector<SinkState>& sinks,
                                         const std::vector<SourceState>& sources,
                                         const std::vector<LaneState>& lanes,
                                         const std::vector<Claim>& claims);

}  // namespace edgehose
