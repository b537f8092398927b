#include "agent/run/status_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "agent/base/text.h"

namespace edgehose {

Duration age_at(WallTime now, WallTime then) {
  return Duration(std::max<std::int64_t>(0, now.value - then.value));
}

namespace {

std::string_view state_name(CourierStatus::State state) {
  switch (state) {
    case CourierStatus::State::kIdle: return "idle";
    case CourierStatus::State::kSending: return "sending";
    case CourierStatus::State::kBackingOff: return "backing off";
    case CourierStatus::State::kParked: return "parked";
  }
  return "";
}

SourceReport source_report(const SourceHealth& health) {
  SourceReport report;
  report.name = health.name;
  report.files = health.files;
  report.read = {health.read_records, health.read_bytes};
  report.behind_bytes = health.behind_bytes;
  report.copied_bytes = health.copied_bytes;
  report.truncated_records = health.losses.truncated_records;
  report.lost_bytes = health.losses.lost_bytes;
  report.problem = health.problem;
  return report;
}

// What a source last told is older than what the store says now: less would be read than committed.
Counter committed_since_start(const ReportInput& input, const SourceState& state) {
  const auto before = input.committed_before.find(state.name);
  if (before == input.committed_before.end()) return {};
  const auto& [records, bytes] = before->second;
  return {state.committed.records - std::min(records, state.committed.records),
          state.committed.bytes - std::min(bytes, state.committed.bytes)};
}

// The config's sources, and those that only the buffer knows.
std::vector<SourceReport> source_reports(const ReportInput& input) {
  std::vector<SourceReport> reports;
  for (const SourceHealth& health : input.sources) reports.push_back(source_report(health));
  for (const SourceState& state : input.store.sources) {
    auto it = std::find_if(reports.begin(), reports.end(),
                           [&](const SourceReport& r) { return r.name == state.name; });
    if (it == reports.end()) {
      it = reports.insert(reports.end(), SourceReport{});
      it->name = state.name;
      it->configured = false;
    }
    it->committed = state.committed;
    const Counter since_start = committed_since_start(input, state);
    it->read.records = std::max(it->read.records, since_start.records);
    it->read.bytes = std::max(it->read.bytes, since_start.bytes);
    it->not_taken = state.not_taken;
    // A running source knows of more than is committed.
    it->truncated_records = std::max(it->truncated_records, state.losses.truncated_records);
    it->lost_bytes = std::max(it->lost_bytes, state.losses.lost_bytes);
  }
  return reports;
}

void add_courier(SinkReport& report, const SinkInput& sink, WallTime now) {
  const CourierStatus& courier = sink.courier;
  report.state = state_name(courier.state);
  report.sent_objects = courier.sent_objects;
  report.sent_bytes = courier.sent_bytes;
  report.retries = courier.retries;
  report.failed_in_a_row = courier.failed_in_a_row;
  report.in_flight = courier.in_flight;
  report.queued = courier.queued;
  report.unacknowledged = courier.unacknowledged;
  report.last_error = courier.last_error;
  report.error_since = courier.error_since;
  if (age_at(now, courier.past_error_at) < kPastErrorShown) {
    report.past_error = courier.past_error;
    report.past_error_at = courier.past_error_at;
  }
  report.call = sink.call;
  report.call_for = sink.call_for;
  report.next_batch_in = sink.next_batch_in;
  report.last_delivery = std::max(report.last_delivery, courier.last_success);
  if (courier.state == CourierStatus::State::kBackingOff ||
      courier.state == CourierStatus::State::kParked)
    report.next_attempt_in = courier.next_attempt_in;
}

void add_lane(SinkReport& report, const StoreSnapshot::Lane& lane, WallTime now) {
  const LaneState& state = lane.state;
  report.backlog += state.buffered();
  report.delivered += state.delivered;
  report.dead_lettered += state.dead_lettered;
  for (std::size_t i = 0; i < report.dropped.size(); ++i) report.dropped[i] += state.dropped[i];
  report.possible_duplicates += state.possible_duplicates;
  report.last_delivery = std::max(report.last_delivery, state.last_delivery);
  if (lane.oldest && state.buffered().records > 0)
    report.oldest_age = std::max(report.oldest_age.value_or(Duration{}), age_at(now, *lane.oldest));
}

void add_traffic(SinkReport& report, const SinkTraffic& traffic, const LocalDate& today) {
  report.wire_ever = traffic.ever;
  report.wire_today = counted(traffic.day, today.day);
  report.wire_this_month = counted(traffic.month, today.month);
}

// There is something to send, and it is not time yet.
bool waits(const SinkReport& sink) {
  return sink.state == state_name(CourierStatus::State::kIdle) && sink.claims == 0 &&
         sink.backlog.records > 0 && sink.next_batch_in;
}

std::vector<SinkReport> sink_reports(const ReportInput& input) {
  std::vector<SinkReport> reports;
  for (const SinkInput& sink : input.sinks) {
    SinkReport& report = reports.emplace_back();
    report.name = sink.name;
    if (input.running) add_courier(report, sink, input.now);
    if (sink.traffic) add_traffic(report, *sink.traffic, input.today);
  }
  for (const SinkState& state : input.store.sinks) {
    auto it = std::find_if(reports.begin(), reports.end(),
                           [&](const SinkReport& r) { return r.name == state.name; });
    if (it == reports.end()) {
      it = reports.insert(reports.end(), SinkReport{});
      it->name = state.name;
      it->configured = false;
    }
    // A running sink knows of more than is committed.
    if (it->wire_ever == WireBytes{}) add_traffic(*it, state.traffic, input.today);
    for (const StoreSnapshot::Lane& lane : input.store.lanes)
      if (lane.state.key.sink == state.id) add_lane(*it, lane, input.now);
    it->claims = static_cast<std::uint64_t>(
        std::count_if(input.store.claims.begin(), input.store.claims.end(),
                      [&](const Claim& claim) { return claim.lane.sink == state.id; }));
    if (const auto r = input.store.replaying.find(state.id); r != input.store.replaying.end())
      it->replaying = r->second;
    const auto& oldest = input.store.oldest_dead_letter;
    if (const auto o = oldest.find(state.id); o != oldest.end()) it->oldest_dead_letter = o->second;
    if (waits(*it)) it->state = kWaiting;
  }
  return reports;
}

BufferReport buffer_report(const ReportInput& input) {
  const StoreUsage& usage = input.store.usage;
  BufferReport report;
  if (const auto& epoch = input.store.epoch)
    report.epoch = to_hex({reinterpret_cast<const char*>(epoch->data()), epoch->size()});
  report.blocks = input.store.blocks;
  report.used = usage.used;
  report.limit = usage.limit;
  report.free = usage.room();
  report.allocated = usage.allocated;
  report.disk_free = usage.disk_free;
  report.when_full = input.when_full;
  report.full_in = input.buffer_full ? Duration::zero() : input.rates.full_in;
  report.write_ratio = input.rates.write_ratio;
  report.writes_per_day = input.rates.writes_per_day;
  report.device = input.device;
  report.device_per_day = input.rates.device_per_day;
  report.compression = input.store.compression;
  report.last_commit = usage.last_commit;
  report.mean_commit = usage.mean_commit;
  report.last_flush = input.last_flush;
  report.mean_flush = input.mean_flush;
  report.dead_letters = usage.dead_letters;
  report.dead_letter_bytes = usage.dead_letter_bytes;
  report.dead_letter_quota = usage.dead_letter_quota;
  report.corrupt_blocks = usage.corrupt_blocks;
  report.salvaged_records = usage.salvaged_records;
  report.lost_records = usage.lost_records;
  report.archived_blocks = usage.archived_blocks;
  report.archived_bytes = usage.archived_bytes;
  report.quarantines = usage.quarantines;
  report.quarantine_bytes = usage.quarantine_bytes;
  report.set_aside = usage.set_aside;
  report.set_aside_bytes = usage.set_aside_bytes;
  report.format = input.store.format.version;
  report.newest_format = input.store.format.newest;
  return report;
}

}  // namespace

StatusReport make_report(const ReportInput& input) {
  StatusReport report;
  report.running = input.running;
  report.agent = input.agent;
  report.version = input.version;
  report.data_dir = input.data_dir;
  report.config = input.config;
  report.reload = input.reload;
  report.pid = input.pid;
  report.uptime = input.uptime;
  report.at = input.now;
  report.sources = source_reports(input);
  report.sinks = sink_reports(input);
  report.buffer = buffer_report(input);

  judge_health(input, report);
  return report;
}

// --- reading the store ---------------------------------------------------------------------------

namespace {

// Of the newest blocks, at most this many.
constexpr std::uint64_t kSampledBlocks = 64;

Result<std::optional<double>> sample_compression(Store& store) {
  std::uint64_t raw = 0, stored = 0;
  const std::uint64_t end = store.end_block().value;
  BlockNumber from(end > kSampledBlocks ? end - kSampledBlocks : 1);
  for (std::uint64_t i = 0; i < kSampledBlocks; ++i) {
    EH_ASSIGN(const std::optional<BlockInfo> block, store.next_block(SourceId{}, from));
    if (!block) break;
    raw += block->body_raw;
    stored += block->body_stored;
    from = block->number + 1;
  }
  if (stored == 0) return std::nullopt;
  return static_cast<double>(raw) / static_cast<double>(stored);
}

Result<StoreSnapshot::Lane> read_lane(Store& store, LaneState state) {
  StoreSnapshot::Lane lane{std::move(state), std::nullopt};
  if (lane.state.buffered().records == 0) return lane;
  EH_ASSIGN(const std::optional<BlockInfo> block,
            store.next_block(lane.state.key.source, lane.state.cursor.block));
  // A cursor inside the block makes this a little older than it is: by less than a block's span.
  if (block) lane.oldest = block->first_time;
  return lane;
}

// Letters lie in the order in which they were given up.
Status read_letters(Store& store, StoreSnapshot& snapshot) {
  EH_ASSIGN(const auto replays, store.replays());
  for (const Claim& replay : replays) snapshot.replaying[replay.lane.sink] += replay.letters.size();
  std::set<SinkId> wanted;
  for (const StoreSnapshot::Lane& lane : snapshot.lanes)
    if (lane.state.dead_lettered.records > 0) wanted.insert(lane.state.key.sink);
  std::size_t looked = 0;
  if (wanted.empty()) return {};
  EH_TRY(store.for_each_dead_letter([&](const DeadLetter& letter) {
    if (wanted.erase(letter.lane.sink) > 0)
      snapshot.oldest_dead_letter[letter.lane.sink] = letter.given_up;
    return !wanted.empty() && ++looked < kLettersLookedAt;
  }));
  return {};
}

// A walk of the catalogue in memory.
Result<std::uint64_t> count_blocks(Store& store) {
  std::uint64_t blocks = 0;
  for (BlockNumber from(1);; ++blocks) {
    EH_ASSIGN(const auto block, store.next_block(SourceId{}, from));
    if (!block) return blocks;
    from = block->number + 1;
  }
}

}  // namespace

Result<StoreSnapshot> read_store(Store& store) {
  StoreSnapshot snapshot;
  snapshot.epoch = store.epoch();
  EH_ASSIGN(snapshot.blocks, count_blocks(store));
  EH_ASSIGN(snapshot.sources, store.sources());
  EH_ASSIGN(snapshot.sinks, store.sinks());
  EH_ASSIGN(auto lanes, store.lanes());
  for (LaneState& state : lanes) {
    EH_ASSIGN(auto lane, read_lane(store, std::move(state)));
    snapshot.lanes.push_back(std::move(lane));
  }
  EH_ASSIGN(snapshot.claims, store.claims());
  EH_TRY(read_letters(store, snapshot));
  EH_ASSIGN(snapshot.compression, sample_compression(store));
  snapshot.usage = store.usage();
  snapshot.format = store.format();
  return snapshot;
}

}  // namespace edgehose
