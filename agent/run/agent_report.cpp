// What the agent tells of itself: its start, every hour, when asked, while run --once goes on.
#include <unistd.h>

#include <algorithm>

#include "agent/base/log_event.h"
#include "agent/run/agent_impl.h"

namespace edgehose {

void Agent::log_start() const {
  const StoreUsage usage = store_->usage();
  for (const std::string& line : start_lines(
           {options_.version, agent_id_, config_.agent.data_dir, config_.sources.size(),
            config_.sinks.size(), usage.used, usage.limit, profile_.name, profile_.commit_limit}))
    log::event(log::Level::kInfo, "{}", line);
  for (const config::Problem& warning : loaded_.warnings) log::warn("config: {}", warning.text());
  if (descriptors_.reduced()) log::warn("{}", descriptors_.text());
  log_stranded();
}

void Agent::log_stranded() const {
  std::vector<SinkInputs> config;
  for (const SinkSlot& sink : sinks_) config.push_back({sink.name, sink.inputs});
  const auto ledger = read_ledger(*store_);
  const auto claims = store_->claims();
  if (!ledger || !claims) return;
  for (const StrandedLane& lane :
       stranded_lanes(config, ledger->sinks, ledger->sources, ledger->lanes, *claims))
    log::warn("buffer: {}", lane.text());
}

SinkInput Agent::sink_input(const SinkSlot& sink, const IntakeStatus& intake) const {
  const Courier& courier = sink.thread->courier();
  SinkInput input{sink.name, courier.status().read(), sink.max_age, "", {}, sink.inputs};
  const Call call = courier.call();
  input.call = call.what;
  if (sink.meter) input.traffic = sink.meter->now();
  if (const auto at = intake.batches_at.find(sink.name); at != intake.batches_at.end())
    input.next_batch_in = std::max(at->second - clock_->now(), Duration::zero());
  if (!call.what.empty()) input.call_for = std::max(clock_->now() - call.since, Duration::zero());
  return input;
}

// What the files have and the buffer has not: not read, or read and not committed.
std::vector<SourceHealth> Agent::sources_of(const IntakeStatus& intake) {
  std::vector<SourceHealth> sources = intake.sources;
  for (std::size_t i = 0; i < sources.size() && i < intake.uncommitted.size(); ++i)
    sources[i].behind_bytes += intake.uncommitted[i];
  return sources;
}

std::string Agent::make_status() const {
  ReportInput input;
  const IntakeStatus intake = intake_->status().read();
  input.agent = agent_id_;
  input.version = options_.version;
  input.data_dir = config_.agent.data_dir;
  input.config = options_.config_path;
  input.reload = reload_;
  input.pid = ::getpid();
  input.uptime = clock_->now() - started_;
  input.now = clock_->wall();
  input.today = local_date(input.now, zone_);
  input.when_full = name(config_.buffer.when_full);
  input.buffer_full = intake.blocked;
  input.disk_full = intake.disk_full;
  input.drops = intake.drops;
  input.intake_problem = intake.problem;
  if (!intake.problem.empty())
    input.intake_problem_for = std::max(clock_->now() - intake.problem_began, Duration::zero());
  input.displaced = intake.displaced;
  input.intake_silence = intake_->heartbeat().silence(clock_->now());
  input.last_flush = intake.last_flush;
  input.mean_flush = intake.mean_flush;
  input.device = device_.disk;
  input.sources = sources_of(intake);
  for (const SourceState& source : at_start_.sources)
    input.committed_before[source.name] = source.committed;
  for (const SinkSlot& sink : sinks_) input.sinks.push_back(sink_input(sink, intake));
  if (auto store = read_store(*store_)) input.store = std::move(*store);
  input.rates = meter_.rates();
  return to_json(make_report(input));
}

void Agent::log_hour(Instant now) const {
  const StoreUsage usage = store_->usage();
  HourFigures figures;
  figures.used = usage.used;
  figures.limit = usage.limit;
  for (const SourceHealth& source : sources_of(intake_->status().read())) {
    figures.records += source.read_records;
    figures.behind += source.behind_bytes;
  }
  for (const SinkSlot& sink : sinks_) {
    const CourierStatus status = sink.thread->courier().status().read();
    figures.batches += status.sent_objects;
    figures.retries += status.retries;
  }
  log::info("{}", hour_line(figures, now - started_));
}

// Each was told when it happened, as far as the log's bound let it.
void Agent::log_losses() const {
  const auto now = read_ledger(*store_);
  if (!now) return;
  const Losses losses = losses_since(at_start_, *now, intake_->status().read().refused);
  if (!losses.lost.empty()) log::event(log::Level::kWarn, "stop: since the start, {}", losses.lost);
  if (!losses.by_hand.empty())
    log::event(log::Level::kInfo, "stop: since the start, forgotten or purged by hand: {}",
               losses.by_hand);
}

Progress Agent::progress() const {
  Progress progress;
  progress.started = started_;
  for (const SourceHealth& source : intake_->status().read().sources) {
    progress.bytes_read += source.read_bytes;
    progress.bytes_total += source.read_bytes + source.behind_bytes;
  }
  if (const auto ledger = read_ledger(*store_)) once_->count(*ledger, progress);
  return progress;
}

}  // namespace edgehose
