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
  for (const Delivery& delivery : deliveries_)
    require(delivery.transport->under_way() <= delivery.concurrency + 1u,
            "{} has {} requests under way, more than {} and a question", delivery.name,
            delivery.transport->under_way(), delivery.concurrency);
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
void World::drain() {
  calm_ = true;
  disk::disarm();
  end_life();
  for (const Parcel& parcel : std::exchange(late_, {})) serve(parcel, servers_, false, chance_);
  if (clock_.wall() < kSane) clock_.set_wall(kSane);
  begin_life();
  int quiet = 0;  // steps in a row in which all was drained
  for (int i = 0; i < kDrainSteps && quiet < 100; ++i) {
    Instant next = intake_->step();
    for (Delivery& delivery : deliveries_) {
      next = std::min(next, delivery.courier->step());
      while (delivery.transport->under_way() > 0)
        delivery.transport->answer(0, Fate::kAnswered, false, chance_);
      next = std::min(next, delivery.courier->step());
    }
    servers_.collector.index(SIZE_MAX);
    if (next > clock_.now())
      clock_.advance(std::min<Duration>(next - clock_.now(), std::chrono::seconds(5)));
    check_bounds();
    quiet = is_drained() ? quiet + 1 : 0;
  }
  require(is_drained(), "it does not drain: {}", what_waits());
  check_lanes();
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

void World::check_end() const {
  if (setup_.bucket) check_arrivals("bucket", servers_.bucket.arrivals());
  if (setup_.directory) check_arrivals("directory", servers_.directory.arrivals());
  if (setup_.index) check_arrivals("index", servers_.index.arrivals());
  if (setup_.collector) check_arrivals("collector", servers_.collector.arrivals());
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
  for (const auto& [key, tokens] : bucket.objects()) {
    const bool web = !tokens.empty() && tokens.front().starts_with("<<web");
    if (!logs_.order_is_kept(web ? 1 : 0)) continue;
    for (std::size_t i = 1; i < tokens.size(); ++i)
      require(number_of(tokens[i - 1]) < number_of(tokens[i]),
              "within an object {} stands before {}: {}", tokens[i - 1], tokens[i], key);
  }
}

}  // namespace edgehose::sim
