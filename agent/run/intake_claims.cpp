// What becomes of claims: cut when ripe, settled, halved when too large, resumed after a restart.
#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/run/half_cut.h"
#include "agent/run/intake.h"

namespace edgehose {
namespace {

constexpr Duration kClockPatience = std::chrono::hours(1);

// A part that went up and a note free nothing: no reason to try records again at once.
bool makes_no_room(const CourierEvent& event) {
  return std::holds_alternative<Advanced>(event) || std::holds_alternative<Learned>(event);
}

}  // namespace

Status Intake::register_sinks() {
  EH_ASSIGN(const std::vector<SinkState> known_sinks, store_.sinks());
  EH_ASSIGN(const std::unique_ptr<Store::Transaction> transaction, store_.begin());
  for (SinkLink& sink : sinks_) {
    sink.id = store_.sink_id(sink.config.name);
    const auto known = std::find_if(known_sinks.begin(), known_sinks.end(),
                                    [&](const SinkState& s) { return s.id == sink.id; });
    if (known != known_sinks.end()) {
      sink.note = known->note;
      sink.traffic = known->traffic;
    } else {
      EH_TRY(transaction->put_sink(SinkState{sink.id, sink.config.name, ""}));
    }
    if (sink.meter) sink.meter->begin(sink.traffic);
    const Position start =
        sink.config.start_at == DeliverFrom::kNow ? Position{store_.end_block(), 0} : Position{};
    for (const SourceSlot& slot : slots_) {
      if (!sink.takes(slot.source->name())) continue;
      EH_TRY(transaction->add_lane(LaneKey{sink.id, slot.pending->source()}, start));
    }
  }
  return transaction->commit();
}

Status Intake::resume_claims() {
  clock_patience_ = clock_.now() + kClockPatience;
  for (const SinkLink& sink : sinks_)
    if (waits_for_clock(sink))
      log::warn(
          "sink {}: this machine's clock says {}: until it is set, for an hour at most, no batch is "
          "made, since indexes are named by the time",
          sink.config.name, format_wall(clock_.wall()));
  EH_ASSIGN(const std::vector<Claim> claims, store_.claims());
  EH_ASSIGN(const std::vector<LaneState> lanes, store_.lanes());
  EH_ASSIGN(const std::vector<SourceState> sources, store_.sources());
  for (const SourceState& source : sources) source_names_[source.id] = source.name;
  for (const SourceSlot& slot : slots_) source_names_[slot.pending->source()] = slot.source->name();

  for (const LaneState& lane : lanes) {
    SinkLink* const sink = link(lane.key.sink);
    // Not in the config any more: the cursor stays until it is forgotten, and yields when full.
    if (sink == nullptr) continue;
    Position begin = lane.cursor;
    for (const Claim& claim : claims) {
      if (claim.lane != lane.key) continue;
      begin = std::max(begin, claim.end);
      if (claim.done) continue;
      Claim resumed = claim;
      resumed.resumed = true;
      sink->claims.emplace(claim.id, resumed);
      sink->courier->post(std::move(resumed));
    }
    // Stranded (stranded.h): what is cut already is delivered, and that is all.
    if (!sink->takes(source_names_[lane.key.source])) continue;
    EH_ASSIGN(const std::optional<Sequence> first, first_unclaimed(lane, begin, claims, sources));
    sink->lanes.emplace_back(lane.key, begin, sink->config.batch, first);
    sink->lanes.back().limit_size(sink->max_size());
    EH_TRY(age_backlog(sink->lanes.back(), sink->config.batch));
  }
  EH_ASSIGN(const std::vector<Claim> replays, store_.replays());
  resume_replays(replays);
  return {};
}

// Known where it is needed: where the block there cannot be read.
Result<std::optional<Sequence>> Intake::first_unclaimed(const LaneState& lane, Position begin,
                                                        const std::vector<Claim>& claims,
                                                        const std::vector<SourceState>& sources) {
  const auto source = std::ranges::find(sources, lane.key.source, &SourceState::id);
  if (source == sources.end()) return std::nullopt;  // of several: their sequences do not compare
  std::uint64_t waiting = lane.buffered().records;
  for (const Claim& claim : claims)
    if (claim.lane == lane.key && !claim.done) waiting -= std::min(waiting, claim.size.records);
  const NextBlock blocks = [this](SourceId s, BlockNumber from) {
    return store_.next_block(s, from);
  };
  return first_of_unreadable(blocks, lane.key.source, begin, waiting, source->next_sequence);
}

// What waited before we started has its age from the wall clock, which may have jumped: never
// negative, and never more than makes it ripe at once.
Status Intake::age_backlog(LanePlanner& lane, const BatchConfig& batch) {
  EH_ASSIGN(const std::optional<BlockInfo> block,
            store_.next_block(lane.lane().source, lane.begin().block));
  if (!block) return {};
  const Duration age(std::clamp<std::int64_t>(clock_.wall().value - block->first_time.value, 0,
                                              batch.age().count()));
  lane.arrived(clock_.now() - age);
  look_for_batches_ = true;
  return {};
}

Status Intake::write_settlements(Store::Transaction& transaction, Made& made) {
  std::map<SinkId, std::string> problems;  // of each sink that something came from; empty: none
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const Status status = std::visit(
        [&](const auto& event) { return write_settlement(transaction, event, made); }, events_[i]);
    const SinkId sink = std::visit([](const auto& event) { return event.sink; }, events_[i]);
    std::string& problem = problems[sink];
    if (status) {
      made.applied.push_back(i);
      made.settled = made.settled || !makes_no_room(events_[i]);
      continue;
    }
    // The dead letters' quota: keep the batch and stop claiming for this sink until there is room.
    const bool refused = status.error().code == ErrorCode::kFull &&
                         std::holds_alternative<Settled>(events_[i]) && link(sink) != nullptr;
    if (!refused) return status;
    problem = status.error().message;
  }
  tell_problems(problems);
  return {};
}

void Intake::tell_problems(const std::map<SinkId, std::string>& problems) {
  for (const auto& [id, problem] : problems)
    if (SinkLink* const sink = link(id)) sink->set_problem(problem);
}

Status Intake::write_settlement(Store::Transaction& transaction, const Settled& settled, Made&) {
  const Status acknowledged = transaction.acknowledge(settled.ack);
  if (!acknowledged && acknowledged.error().code == ErrorCode::kNotFound) {
    log::warn("sink claim {}: settled, but it was retired meanwhile", settled.ack.claim.value);
    return {};
  }
  return acknowledged;
}

Status Intake::write_settlement(Store::Transaction& transaction, const Learned& learned, Made&) {
  SinkLink* const sink = link(learned.sink);
  if (sink == nullptr) return {};
  sink->set_note(learned.note);
  return transaction.put_sink(SinkState{sink->id, sink->config.name, learned.note, sink->traffic});
}

Status Intake::write_settlement(Store::Transaction& transaction, const Halve& halve, Made& made) {
  SinkLink* const sink = link(halve.sink);
  if (sink == nullptr) return {};
  if (sink->replays.contains(halve.claim)) {
    made.replaced.emplace_back(sink, halve.claim);
    const Status halved = transaction.halve_replay(halve.claim, halve.possible_duplicates);
    const bool retired = !halved && halved.error().code == ErrorCode::kNotFound;
    return retired ? Status() : halved;
  }
  const auto found = sink->claims.find(halve.claim);
  if (found == sink->claims.end()) return {};
  EH_ASSIGN(const std::vector<Claim> parts, cut_in_two(*sink, found->second));
  return recut(transaction, *sink, halve.claim, parts, halve.possible_duplicates, made);
}

// Cut anew as a whole: with the rendering of today too, since the key tells it.
Status Intake::write_settlement(Store::Transaction& transaction, const Rekey& rekey, Made& made) {
  SinkLink* const sink = link(rekey.sink);
  if (sink == nullptr) return {};
  if (sink->replays.contains(rekey.claim)) {
    auto renamed =
        transaction.begin_replay(rekey.claim, rekey.key, sink->sink->rendering_at(clock_.wall()));
    made.replaced.emplace_back(sink, rekey.claim);
    if (!renamed && renamed.error().code == ErrorCode::kNotFound) return {};  // retired meanwhile
    if (!renamed) return tl::unexpected<Error>(std::move(renamed).error());
    made.claims.emplace_back(sink, std::move(*renamed));
    return {};
  }
  const auto found = sink->claims.find(rekey.claim);
  if (found == sink->claims.end()) return {};
  Claim claim = found->second;
  claim.resumed = false;
  claim.key = rekey.key;
  claim.rendering = sink->sink->rendering_at(clock_.wall());
  return recut(transaction, *sink, rekey.claim, {claim}, 0, made);
}

// What cannot be kept is only begun anew after a restart: no reason for a commit to fail.
Status Intake::write_settlement(Store::Transaction& transaction, const Advanced& advanced, Made&) {
  const Status put = transaction.put_upload(advanced.claim, advanced.upload);
  const bool refused =
      !put && (put.error().code == ErrorCode::kNotFound || put.error().code == ErrorCode::kInvalid);
  return refused ? Status() : put;
}

Status Intake::recut(Store::Transaction& transaction, SinkLink& sink, ClaimId claim,
                     const std::vector<Claim>& parts, std::uint64_t possible_duplicates,
                     Made& made) {
  auto cut = transaction.recut(claim, parts, possible_duplicates);
  made.replaced.emplace_back(&sink, claim);
  if (!cut && cut.error().code == ErrorCode::kNotFound) {
    log::warn("sink {}: claim {} is to be cut anew, but it was retired meanwhile", sink.config.name,
              claim.value);
    return {};
  }
  if (!cut) return tl::unexpected<Error>(std::move(cut).error());
  for (Claim& part : *cut) made.claims.emplace_back(&sink, std::move(part));
  return {};
}

// Two claims over the same records: the first half of them, exactly where its blocks can be read,
// and the rest. Records of a damaged block stay together, so all may be in one claim still.
Result<std::vector<Claim>> Intake::cut_in_two(const SinkLink& sink, const Claim& claim) {
  HalfCut cut(claim);
  for (BlockNumber from = claim.begin.block; !cut.done();) {
    EH_ASSIGN(const std::optional<BlockInfo> info, store_.next_block(claim.lane.source, from));
    if (!info || Position{info->number, 0} >= claim.end) break;
    from = info->number + 1;
    const auto block = store_.read_decoded(info->number);
    if (block)
      cut.add(*block);
    else if (block.error().code == ErrorCode::kCorrupt ||
             block.error().code == ErrorCode::kNotFound)
      cut.add_damaged(*info);
    else
      return tl::unexpected<Error>(block.error());
  }
  std::vector<Claim> parts = cut.parts();
  for (Claim& part : parts) part.key = key_of(sink, part);
  return parts;
}

std::string Intake::key_of(const SinkLink& sink, const Claim& claim) const {
  const auto name = source_names_.find(claim.lane.source);
  const std::string source = name == source_names_.end() ? "" : name->second;
  return sink.sink->key(outline_of(claim, source, store_.epoch()), sink.note);
}

// Where a record's time says where it goes, that of a clock that was never set leads astray:
// batches are cut when it is, which their claims keep. Not for longer than kClockPatience, nor
// where the buffer needs the room.
bool Intake::waits_for_clock(const SinkLink& sink) const {
  return sink.sink->goes_by_time() && clock_.now() < clock_patience_ &&
         !is_plausible(clock_.wall()) && full_since_ == Instant{} && !all_is_ripe();
}

Status Intake::claim_ripe(Store::Transaction& transaction, Made& made) {
  const NextBlock blocks = [&](SourceId s, BlockNumber from) {
    return transaction.next_block(s, from);
  };
  const bool flush = all_is_ripe();
  for (SinkLink& sink : sinks_) {
    if (waits_for_clock(sink)) continue;
    const Duration lead = claim_lead(sink);
    std::size_t total = sink.claims.size();
    for (LanePlanner& lane : sink.lanes) {
      if (!sink.problem.empty()) continue;
      std::size_t held = sink.claims_of(lane.lane().source);
      for (; held < sink.window() && total < SinkLink::kMaxClaims; ++held, ++total) {
        EH_ASSIGN(const std::optional<PlannedBatch> batch,
                  lane.next(blocks, sink.estimate, clock_.now() + lead, flush));
        if (!batch) break;
        Claim claim;
        claim.lane = lane.lane();
        claim.begin = batch->begin;
        claim.end = batch->end;
        claim.first = batch->first;
        claim.last = batch->last;
        claim.size = batch->size;
        claim.first_time = batch->first_time;
        claim.rendering = sink.sink->rendering_at(clock_.wall());
        claim.key = key_of(sink, claim);
        EH_ASSIGN(Claim persisted, transaction.claim(std::move(claim)));
        lane.claimed(*batch);
        made.claims.emplace_back(&sink, std::move(persisted));
      }
    }
  }
  return {};
}

}  // namespace edgehose
