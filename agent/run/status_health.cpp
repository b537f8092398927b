// The rule by which an agent is healthy (status_report.h), and what is worth a note.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/run/status_report.h"
#include "agent/run/stranded.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kAllButFullPercent = 99;

bool stalled(const SinkReport& sink, Duration max_age, const ReportInput& input) {
  if (sink.backlog.records == 0 || input.uptime < kStallTime) return false;
  if (!sink.oldest_age || *sink.oldest_age < max_age + kStallTime) return false;
  return age_at(input.now, sink.last_delivery) >= kStallTime;
}

bool hangs(const SinkReport& sink) { return !sink.call.empty() && sink.call_for >= kHangTime; }

std::string hang_text(const SinkReport& sink, const ReportInput& input) {
  return fmt::format("sink {}: the system has not answered since {}: {}; {} wait", sink.name,
                     format_wall(WallTime(input.now.value - sink.call_for.count())), sink.call,
                     format_count(sink.backlog.records, "record"));
}

std::string stall_text(const SinkReport& sink, const ReportInput& input) {
  const Duration since =
      sink.last_delivery.value == 0 ? input.uptime : age_at(input.now, sink.last_delivery);
  return fmt::format("sink {}: nothing acknowledged for {}, {} wait{}", sink.name,
                     format_duration(std::chrono::duration_cast<std::chrono::minutes>(since)),
                     format_count(sink.backlog.records, "record"),
                     sink.last_error.empty() ? "" : ": " + sink.last_error);
}

std::string parked_text(const SinkInput& sink, const ReportInput& input) {
  const WallTime since = sink.courier.error_since;
  std::string how_long;
  if (since.value != 0)
    how_long =
        " for " +
        format_duration(std::chrono::duration_cast<std::chrono::seconds>(age_at(input.now, since)));
  return fmt::format("sink {} is parked{}: {}", sink.name, how_long, sink.courier.last_error);
}

bool fails(const SinkReport& sink, const SinkInput& input, WallTime now) {
  return input.courier.state == CourierStatus::State::kBackingOff &&
         sink.failed_in_a_row >= kFailingAttempts && age_at(now, sink.error_since) >= kFailingTime;
}

std::string fails_text(const SinkReport& sink, WallTime now) {
  const auto since =
      std::chrono::duration_cast<std::chrono::seconds>(age_at(now, sink.error_since));
  return fmt::format("sink {}: each attempt has failed for {} ({}), {} wait: {}", sink.name,
                     format_duration(since), format_count(sink.failed_in_a_row, "attempt"),
                     format_count(sink.backlog.records, "record"), sink.last_error);
}

class Judge {
 public:
  explicit Judge(StatusReport& report) : report_(report) {}
  void down(std::string why) { add(Health::kDown, std::move(why)); }
  void degraded(std::string why) { add(Health::kDegraded, std::move(why)); }
  void note(std::string what) { report_.notes.push_back(std::move(what)); }

 private:
  void add(Health health, std::string why) {
    report_.health = std::max(report_.health, health);
    report_.reasons.push_back(std::move(why));
  }
  StatusReport& report_;
};

void judge_process(const ReportInput& input, Judge& judge) {
  if (!input.running) return judge.down("the agent is not running");
  if (input.intake_silence >= kIntakeSilence)
    judge.down(fmt::format(
        "the intake loop has not moved for {}",
        format_duration(std::chrono::duration_cast<std::chrono::seconds>(input.intake_silence))));
  if (const ReloadReport& reload = input.reload; !reload.refused.empty())
    judge.degraded(
        fmt::format("the config before it runs on, since the reload at {} was refused: {}",
                    format_wall(reload.refused_at), reload.refused));
  if (!input.displaced.empty()) judge.down("nothing is read: " + input.displaced);
  if (input.intake_problem.empty()) return;
  if (input.intake_problem_for >= kCommitsFail)
    return judge.down("intake: nothing is taken in: " + input.intake_problem);
  judge.degraded("intake: " + input.intake_problem);
}

bool makes_room(const StatusReport& report, WallTime now) {
  return std::ranges::any_of(report.sinks, [&](const SinkReport& sink) {
    return sink.configured && sink.last_delivery.value != 0 &&
           age_at(now, sink.last_delivery) < kCatchesUp;
  });
}

// A commit is taken whole or not at all, so a full buffer need not be at 100 %.
std::string what_is_full(const ReportInput& input, const BufferReport& buffer) {
  if (!input.disk_full.empty())
    return fmt::format("the buffer's disk is full ({})", input.disk_full);
  const std::uint64_t percent = buffer.limit == 0 ? 100 : buffer.used * 100 / buffer.limit;
  if (percent >= kAllButFullPercent) return "the buffer is full";
  return fmt::format("the buffer is full ({} %, and what comes next does not fit)", percent);
}

// What a person can do, where sinks cannot: they have nothing to deliver.
std::string_view what_makes_room(const ReportInput& input, const StatusReport& report) {
  const bool disk = !input.disk_full.empty();
  if (std::ranges::any_of(report.sinks, [](const auto& s) { return s.backlog.records > 0; }))
    return disk ? "until there is more, or a sink delivers" : "until a sink delivers";
  if (disk)
    return "until there is room: free some of it, or put agent.data_dir elsewhere (edgehose check "
           "has the figures)";
  return report.buffer.dead_letters == 0
             ? "until it has room, and no sink has anything to deliver: raise buffer.max_size"
             : "until it has room, and no sink has anything to deliver: raise buffer.max_size, or "
               "purge dead letters";
}

void judge_full(const ReportInput& input, const StatusReport& report, Judge& judge) {
  const std::string what = what_is_full(input, report.buffer);
  if (input.drops)
    return judge.degraded(
        fmt::format("{}: records are dropped unless sinks make room ({})", what, input.when_full));
  if (makes_room(report, input.now))
    return judge.degraded(what + ": what is read is what sinks make room for");
  judge.down(fmt::format("{}: nothing is read {}", what, what_makes_room(input, report)));
}

void judge_buffer(const ReportInput& input, const StatusReport& report, Judge& judge) {
  const BufferReport& buffer = report.buffer;
  if (input.running && input.buffer_full) return judge_full(input, report, judge);
  if (buffer.limit == 0) return;
  const std::uint64_t almost = buffer.limit / 100 * kAlmostFullPercent;
  if (buffer.used >= almost)
    judge.degraded(fmt::format("the buffer is {} % full", buffer.used * 100 / buffer.limit));
  else if (buffer.free < buffer.limit - almost)
    judge.degraded(
        fmt::format("the buffer's disk has room for {} more, the buffer for {} (buffer.max_size)",
                    buffer.free == 0 ? "nothing" : format_size(buffer.free),
                    format_size(buffer.limit - buffer.used)));
}

void judge_sinks(const ReportInput& input, const StatusReport& report, Judge& judge) {
  for (const SinkInput& sink : input.sinks) {
    const auto& r = *std::find_if(report.sinks.begin(), report.sinks.end(),
                                  [&](const SinkReport& s) { return s.name == sink.name; });
    if (hangs(r))
      judge.degraded(hang_text(r, input));
    else if (sink.courier.state == CourierStatus::State::kParked)
      judge.degraded(parked_text(sink, input));
    else if (fails(r, sink, input.now))
      judge.degraded(fails_text(r, input.now));
    else if (stalled(r, sink.max_age, input))
      judge.degraded(stall_text(r, input));
    else if (sink.courier.failing_alone > 0 && age_at(input.now, r.error_since) >= kStallTime)
      judge.degraded(
          fmt::format("sink {}: {} failed since {} while others are delivered: {}", sink.name,
                      format_count(sink.courier.failing_alone, "batch has", "batches have"),
                      format_wall(r.error_since), r.last_error));
  }
}

// They wait for a person: nobody else delivers them, and they take the room of those to come.
void judge_dead_letters(const StatusReport& report, Judge& judge) {
  if (report.buffer.dead_letters == 0) return;
  std::string sinks;
  for (const SinkReport& sink : report.sinks)
    if (sink.dead_lettered.records > 0) sinks += (sinks.empty() ? " by sink " : ", ") + sink.name;
  judge.degraded(fmt::format("{} refused for good{}: edgehose dead-letters list says why",
                             format_count(report.buffer.dead_letters, "record was", "records were"),
                             sinks));
}

// What the blocks held is lost to the sinks that lacked it.
void judge_damage(const StatusReport& report, Judge& judge) {
  if (report.buffer.corrupt_blocks == 0) return;
  judge.degraded(fmt::format(
      "{} found since the start: what sinks lacked of it is dropped (edgehose buffer verify); the "
      "disk or its power supply is failing",
      format_count(report.buffer.corrupt_blocks, "damaged block was", "damaged blocks were")));
}

// Records that this release cannot read: they wait for the one that can.
void judge_set_aside(const ReportInput& input, const StatusReport& report, Judge& judge) {
  if (report.buffer.set_aside == 0) return;
  judge.degraded(
      set_aside_text(report.buffer.set_aside, report.buffer.set_aside_bytes, input.data_dir));
}

void note_stranded(const ReportInput& input, Judge& judge) {
  std::vector<SinkInputs> config;
  for (const SinkInput& sink : input.sinks) config.push_back({sink.name, sink.inputs});
  std::vector<LaneState> lanes;
  for (const StoreSnapshot::Lane& lane : input.store.lanes) lanes.push_back(lane.state);
  for (const StrandedLane& lane :
       stranded_lanes(config, input.store.sinks, input.store.sources, lanes, input.store.claims))
    judge.note(lane.text());
}

void add_notes(const ReportInput& input, const StatusReport& report, Judge& judge) {
  note_stranded(input, judge);
  for (const SinkReport& sink : report.sinks)
    if (!sink.configured)
      judge.note(fmt::format(
          "sink {} is not in the config; its {} first when full (edgehose buffer forget {})",
          sink.name, format_count(sink.backlog.records, "record yields", "records yield"),
          sink.name));
  if (report.buffer.archived_blocks > 0)
    judge.note(
        fmt::format("{} ({}) of a damaged buffer are delivered out of {}/buffer.mdb.salvaged-*: "
                    "leave it there",
                    format_count(report.buffer.archived_blocks, "block"),
                    format_size(report.buffer.archived_bytes), input.data_dir));
  if (report.buffer.format != report.buffer.newest_format)
    judge.note(fmt::format("the buffer has format {}: edgehose buffer upgrade says what {} gives",
                           report.buffer.format, report.buffer.newest_format));
  if (report.buffer.quarantines > 0)
    judge.note(fmt::format("{} ({}) kept aside in {}",
                           format_count(report.buffer.quarantines, "damaged buffer"),
                           format_size(report.buffer.quarantine_bytes), input.data_dir));
}

}  // namespace

std::string_view name(Health health) {
  switch (health) {
    case Health::kHealthy: return "healthy";
    case Health::kDegraded: return "degraded";
    case Health::kDown: return "down";
  }
  return "";
}

std::string set_aside_text(unsigned buffers, std::uint64_t bytes, const std::string& data_dir) {
  return fmt::format(
      "{} set aside ({}) in {}/set-aside-*, for the release or machine that wrote {}: a start there "
      "delivers all of it (by hand: edgehose run --once --drain)",
      format_count(buffers, "buffer is", "buffers are"), format_size(bytes), data_dir,
      buffers == 1 ? "it" : "them");
}

void judge_health(const ReportInput& input, StatusReport& report) {
  Judge judge(report);
  judge_process(input, judge);
  judge_buffer(input, report, judge);
  if (input.running) judge_sinks(input, report, judge);
  judge_dead_letters(report, judge);
  judge_damage(report, judge);
  judge_set_aside(input, report, judge);
  for (const SourceReport& source : report.sources)
    if (!source.problem.empty())
      judge.degraded(fmt::format("source {}: {}", source.name, source.problem));
  add_notes(input, report, judge);
}

}  // namespace edgehose
