// SinkLink: intake's end of one sink: its lanes, the claims under way, the running size estimate.
//
// Threading: intake thread, apart from the mailbox.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/mailbox.h"
#include "agent/run/lane_planner.h"
#include "agent/run/traffic.h"
#include "buffer/state.h"
#include "sinks/sink.h"

namespace edgehose {

struct SinkLink {
  SinkConfig config;
  std::shared_ptr<const Sink> sink;
  SizeEstimate estimate;                  // of its objects, before the first and then as measured
  Mailbox<Claim>* courier = nullptr;      // where claims go; outlives intake
  Mailbox<std::string>* holds = nullptr;  // where `problem` goes
  std::shared_ptr<TrafficMeter> meter;    // null: no network carries it

  // Filled by Intake::start().
  SinkId id;
  std::string note;     // what the sink has learned: SinkState::note
  SinkTraffic traffic;  // as committed
  std::vector<LanePlanner> lanes;
  std::map<ClaimId, Claim> claims;   // unsettled, at most kMaxClaims, but for halves of them
  std::map<ClaimId, Claim> replays;  // begun and unsettled: one at a time
  bool replays_wait = false;         // there may be some that are not begun
  Counter refused;                   // since start: what became dead letters
  std::string problem;               // why acknowledgements cannot be taken; empty: they can

  static constexpr std::size_t kMaxClaims = 64;
  std::size_t claims_of(SourceId source) const;
  bool takes(const std::string& source) const;  // as `inputs` says
  std::size_t window() const;                   // of claims of a lane, at once
  std::uint64_t max_size() const;               // of a batch: the config's, or less
  bool has_room(SourceId source) const;         // for another claim of that lane
  bool has_lane(LaneKey lane) const;
  Instant batch_at() const;  // when the age makes the next one; kNever: nothing waits for that
  // What the sink has learned; batches that are not cut yet go by it.
  void set_note(std::string learned);
  // Tells the courier when it changes; an empty one: all is well.
  void set_problem(std::string reason);
};

}  // namespace edgehose
