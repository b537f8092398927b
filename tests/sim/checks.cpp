// What must be true: at every step, and when faults have ceased.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/disk.h"
#include "tests/sim/world.h"

namespace edgehose::sim {
namespace {

constexpr std::uint64_t kLanesEvery = 16;  // steps
constexpr WallTime kSane(1'700'000'000'000'000'000);
constexpr int kDrainSteps = 4'000;
constexpr int kQuietSteps = 40;

template <class... Args>
void require(bool holds, fmt::format_string<Args...> text, Args&&... args) {
  if (!holds) throw Broken{fmt::format(text, std::forward<Args>(args)...)};
}

std::uint64_t dropped_of(const LaneState& lane) {
  std::uint64_t records = 0;
  for (const Counter& counter : lane.dropped) records += counter.records;
  return records;
}

}  // namespace

void World::check_step() {
  check_bounds();
  if (++steps_ % kLanesEvery == 0) check_lanes();
}

void World::check_bounds() const {
  const IntakeStatus intake = intake_->status().read();
  require(intake.pending_bytes <= IntakeOptions{}.pending_limit(),
          "intake holds {} bytes that no commit has", intake.pending_bytes);
  for (const Delivery& delivery : deliveries_) {
    const bool directory = delivery.name == "directory";
    const std::size_t sent =
        directory ? files_->under_way() : network::under_way(delivery.name).with_body;
    require(sent <= delivery.concurrency + 1u,
            "{} has {} requests under way, more than {} and a question", delivery.name, sent,
            delivery.concurrency);
  }
}

// What is there beside the counters: records at and behind the cursor that no done claim covers.
void World::check_lanes() const {
  const auto claims = must(store_->claims(), "claims");
  std::map<SinkId, std::size_t> open;
  for (const Claim& claim : claims) open[claim.lane.sink] += claim.done ? 0 : 1;
  for (const auto& [sink, count] : open)
    require(count <= 2 * SinkLink::kMaxClaims, "sink {} has {} claims", sink.value, count);
  for (const LaneState& lane : must(store_->lanes(), "lanes")) {
    std::uint64_t held = 0;
    for (BlockNumber from = lane.cursor.block;;) {
      const auto block = must(store_->next_block(lane.key.source, from), "a block");
      if (!block) break;
      held += block->records - (block->number == lane.cursor.block ? lane.cursor.record : 0);
      from = block->number + 1;
    }
    for (const Claim& claim : claims)
      if (claim.done && claim.lane == lane.key) held -= claim.size.records;
    require(lane.buffered().records == held,
            "a lane says that {} records are buffered, and {} are there: {} committed, {} "
            "delivered, {} dead letters, {} dropped",
            lane.buffered().records, held, lane.committed.records, lane.delivered.records,
            lane.dead_lettered.records, dropped_of(lane));
  }
}

std::map<std::uint64_t, std::uint64_t> World::positions() const {
  std::map<std::uint64_t, std::uint64_t> by_inode;
  const Status read = store_->for_each_file([&](FileId, const FileState& file) {
    if (!file.finished) by_inode[file.identity.inode] = file.offset;
  });
  require(read.has_value(), "reading positions failed");
  return by_inode;
}

// Faults cease: the clock is right, servers answer, the disk writes, every sink is in the config.
void World::cease_faults() {
  calm_ = true;
  disk::disarm();
  end_life();
  network::all_are_there();
  while (network::late() > 0) network::arrive_late(0, chance_);
  if (clock_.wall() < kSane) clock_.set_wall(kSane);
  begin_life();
}

void World::drain() {
  int quiet = 0;  // steps in a row in which all was drained
  for (int i = 0; i < kDrainSteps && quiet < kQuietSteps; ++i) {
    const Instant next = step_all();
    if (next > clock_.now())
      clock_.advance(std::min<Duration>(next - clock_.now(), std::chrono::seconds(5)));
    check_bounds();
    quiet = is_drained() ? quiet + 1 : 0;
  }
  require(is_drained(), "it does not drain: {}", what_waits());
  check_lanes();
}

// Every loop takes a step, and every request is answered well.
Instant World::step_all() {
  Instant next = intake_->step();
  for (Delivery& delivery : deliveries_) {
    next = std::min(next, delivery.courier->step());
    while (network::under_way().all > 0) network::answer(0, Fate::kAnswered, false, chance_);
    while (files_ != nullptr && files_->under_way() > 0) files_->answer(0, Fate::kAnswered);
    next = std::min(next, delivery.courier->step());
  }
  for (Collector& host : servers_.collectors) host.index(SIZE_MAX, servers_.collected);
  return next;
}

// Once a day, when something is sent, the bucket is looked through.
void World::check_leftovers() {
  if (!setup_.bucket || !setup_.in_parts) return;
  clock_.advance(std::chrono::hours(25));
  logs_.write(0, 1, 10, clock_.wall());
  drain();
  const auto left = servers_.bucket.uploads(prefix());
  require(left.empty(), "{} uploads are left, the first of {}", left.size(),
          left.empty() ? "" : left.front().first);
}

std::string World::what_waits() const {
  const IntakeStatus intake = intake_->status().read();
  std::string text = fmt::format("{} bytes pending {}", intake.pending_bytes, intake.problem);
  for (const SourceHealth& source : intake.sources)
    text += fmt::format("; source {}: {} bytes behind {}", source.name, source.behind_bytes,
                        source.problem);
  for (const LaneState& lane : must(store_->lanes(), "lanes"))
    text += fmt::format("; lane {}/{}: {} records", lane.key.sink.value, lane.key.source.value,
                        lane.buffered().records);
  for (const Delivery& delivery : deliveries_) {
    const CourierStatus courier = delivery.courier->status().read();
    text += fmt::format("; {}: {}", delivery.name, courier.last_error);
  }
  return text;
}

bool World::is_drained() const {
  const IntakeStatus intake = intake_->status().read();
  if (intake.pending_bytes > 0) return false;
  for (const SourceHealth& source : intake.sources)
    if (source.behind_bytes > 0) return false;
  return std::ranges::all_of(must(store_->lanes(), "lanes"),
                             [](const LaneState& lane) { return lane.buffered().records == 0; });
}

// What the lanes count, beside what is there: nothing is buffered any more, so what was committed
// was delivered, dropped, or is one of the dead letters that the store holds. A lane that was there
// from the beginning has seen all that its source has committed.
void World::check_counters() const {
  std::map<SourceId, std::uint64_t> committed;
  for (const SourceState& source : must(store_->sources(), "sources"))
    committed[source.id] = source.committed.records;
  std::uint64_t dead = 0;
  for (const LaneState& lane : must(store_->lanes(), "lanes")) {
    const std::uint64_t ended =
        lane.delivered.records + dropped_of(lane) + lane.dead_lettered.records;
    require(lane.committed.records == ended,
            "a lane has committed {} records, and {} came to an end", lane.committed.records,
            ended);
    require(lane.key.source == SourceId{} || lane.committed.records == committed[lane.key.source],
            "a lane has committed {} records, and its source {}", lane.committed.records,
            committed[lane.key.source]);
    dead += lane.dead_lettered.records;
  }
  std::uint64_t letters = 0;
  must(store_->for_each_dead_letter([&](const DeadLetter&) { return ++letters, true; }),
       "dead letters");
  require(letters == dead, "{} dead letters are counted, and {} are there", dead, letters);
}

void World::check_end() const {
  check_counters();
  if (setup_.bucket) check_arrivals("bucket", servers_.bucket.arrivals());
  if (setup_.directory) check_arrivals("directory", servers_.directory.arrivals());
  if (setup_.index) check_arrivals("index", servers_.index.arrivals());
  if (setup_.collector) check_arrivals("collector", servers_.collected);
  check_order(servers_.bucket);
  check_order(servers_.directory);
}

std::set<Token> World::dead_letters() const {
  std::set<Token> dead;
  const auto damaged = must(store_->for_each_dead_letter([&](const DeadLetter& letter) {
    for (const Token& token : tokens_in(letter.body))
      require(dead.insert(token).second || logs_.is_unsure(token), "{} is a dead letter twice",
              token);
    return true;
  }),
                            "dead letters");
  require(damaged.empty(), "{} dead letters are damaged", damaged.size());
  return dead;
}

void World::check_arrivals(const std::string& sink, const Arrivals& arrivals) const {
  const SinkId id = store_->sink_id(sink);
  std::uint64_t dropped = 0, may_be_twice = 0, delivered = 0;
  for (const LaneState& lane : must(store_->lanes(), "lanes")) {
    if (lane.key.sink != id) continue;
    dropped += dropped_of(lane);
    may_be_twice += lane.possible_duplicates;
    delivered += lane.delivered.records;
  }
  for (const SourceState& source : must(store_->sources(), "sources"))
    dropped += source.not_taken.records;
  require(dropped == 0 || may_drop_, "{}: {} records are dropped", sink, dropped);

  const std::set<Token> dead = sink == "index" ? dead_letters() : std::set<Token>{};
  std::vector<Token> missing;
  for (const Token& token : logs_.held())
    if (arrivals.of(token) == 0 && !dead.contains(token) && !logs_.is_unsure(token))
      missing.push_back(token);
  require(missing.size() <= dropped, "{}: {} lines are missing, the first is {}; {} were dropped",
          sink, missing.size(), missing.empty() ? "" : missing.front(), dropped);
  std::vector<Token> repeated;
  for (const auto& [token, count] : arrivals.all())
    if (count > 1 && !logs_.is_unsure(token)) repeated.push_back(token);
  require(repeated.size() <= may_be_twice, "{}: {} lines came twice, {} were told, as {}", sink,
          repeated.size(), may_be_twice, repeated.empty() ? "" : repeated.front());
  // What was given up (a sink that left the config) may have arrived all the same.
  require(arrivals.lines() <= delivered + dropped,
          "{}: {} lines came, {} count as delivered and {} as dropped", sink, arrivals.lines(),
          delivered, dropped);
  for (const auto& [token, count] : arrivals.all()) {
    require(logs_.written().contains(token), "{}: nobody has written {}", sink, token);
    require(!dead.contains(token), "{}: {} came, and is a dead letter", sink, token);
  }
}

void World::check_order(const Bucket& bucket) const {
  for (const auto& [key, object] : bucket.objects()) {
    const std::vector<Token>& tokens = object.tokens;
    const bool web = !tokens.empty() && tokens.front().starts_with("<<web");
    if (!logs_.order_is_kept(web ? 1 : 0)) continue;
    for (std::size_t i = 1; i < tokens.size(); ++i)
      require(number_of(tokens[i - 1]) < number_of(tokens[i]),
              "within an object {} stands before {}: {}", tokens[i - 1], tokens[i], key);
  }
}

}  // namespace edgehose::sim
