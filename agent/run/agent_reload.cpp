// Taking on another config while the agent runs (reload.h): the verdict.
#include "agent/base/log_event.h"
#include "agent/config/agent_id.h"
#include "agent/run/agent_impl.h"
#include "agent/sources/file_config.h"
#include "agent/sources/selection.h"

namespace edgehose {

void Agent::heed_hangup(Instant now) {
  if (!hangup_ || now - started_ < kReloadPause) return;
  hangup_ = false;
  const auto taken = reload();  // what is refused is told by log and status
  if (!taken && options_.once) log::info("SIGHUP: {}", taken.error().message);
}

// Good: run() ends, and the process starts anew.
Result<ChangeReport> Agent::reload() {
  if (options_.once || !options_.load_again)
    return fail(ErrorCode::kUnsupported, "run --once keeps the config that it began with");
  ++reload_.count;
  auto next = options_.load_again();
  const Status verdict = next ? judge(*next) : tl::unexpected(next.error());
  if (!verdict) {
    reload_.refused = verdict.error().message;
    reload_.refused_at = clock_->wall();
    log::error("reload: refused, the config before it runs on: {}", reload_.refused);
    notifier_.status("the last reload was refused: " + reload_.refused);
    return tl::unexpected(verdict.error());
  }
  reload_.refused.clear();
  handover_ = Handover{std::move(next->texts), loaded_.texts, reload_};
  return ChangeReport{"The config is good."};
}

// A system call on a dying disk ends with no thread: this process could not start anew.
Status Agent::refuse_while_a_sink_hangs() const {
  const Instant now = clock_->now();
  for (const SinkSlot& sink : sinks_) {
    const Call call = sink.thread->courier().call();
    if (!call.what.empty() && now - call.since >= kHangTime)
      return fail(ErrorCode::kBusy,
                  "sink {} hangs in {} for {}: see to its destination, or restart the service",
                  sink.name, call.what, format_duration(now - call.since));
  }
  return {};
}

// Of what a start does, all that neither needs the buffer nor changes anything.
Status Agent::judge(const LoadedConfig& next) const {
  const Config& config = next.config;
  if (config.agent.data_dir != config_.agent.data_dir)
    return fail(ErrorCode::kInvalid,
                "agent.data_dir cannot change while the agent runs ({} to {}): what the buffer "
                "holds would stay behind; see it delivered, then restart",
                config_.agent.data_dir, config.agent.data_dir);
  if (const std::string displaced = intake_->status().read().displaced; !displaced.empty())
    return fail(ErrorCode::kBusy, "the buffer is not in its place, see to that first: {}",
                displaced);
  EH_TRY(refuse_while_a_sink_hangs());
  EH_ASSIGN(const std::string id, agent_id(config.agent, false));
  EH_TRY(TimeZone::load(config.agent.timezone));
  EH_TRY(plan_descriptors(config, raise_descriptor_limit()));
  EH_TRY(store_options(config));
  const SinkContext context = sink_context(config.agent, id);
  for (const Component& component : config.sinks) EH_TRY(make_sink(component, context));
  for (const Component& component : config.sources) {
    if (component.type != "file") continue;
    const auto& source = component.as<FileSourceConfig>();
    EH_TRY(parse_selection(source.paths, source.exclude));
  }
  return {};
}

}  // namespace edgehose
