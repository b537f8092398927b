// edgehose status: asks the running agent; without one, reads its buffer.
#include <cstdio>

#include "agent/base/log.h"
#include "agent/base/version.h"
#include "agent/commands/layout.h"
#include "agent/commands/load.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/status_screen.h"
#include "agent/commands/table.h"
#include "agent/config/agent_id.h"
#include "agent/run/agent.h"
#include "agent/run/registry.h"
#include "agent/run/status_report.h"

namespace edgehose {
namespace {

int exit_code(Health health) {
  switch (health) {
    case Health::kHealthy: return kExitOk;
    case Health::kDegraded: return kExitFailed;
    case Health::kDown: return kExitUsage;
  }
  return kExitUsage;
}

int show(const StatusReport& report, bool json) {
  if (json)
    fmt::print("{}\n", to_json(report));
  else
    fmt::print("{}", status_screen(report, wants_colour(stdout)));
  return exit_code(report.health);
}

Result<StoreSnapshot> read_buffer(const Config& config, const Clock& clock,
                                  std::vector<std::string>& notes) {
  std::vector<Error> unread;
  EH_ASSIGN(const StoreOptions options, store_options(config, &unread));
  EH_ASSIGN(const auto store, Store::open_read_only(options, clock));
  if (!unread.empty() && !store->keys_fit())
    notes.push_back("batches under way are encrypted and not counted: " + unread[0].message);
  return read_store(*store);
}

ReportInput without_agent(const LoadedConfig& loaded, const Clock& clock) {
  const Config& config = loaded.config;
  ReportInput input;
  input.running = false;
  input.version = std::string(kVersion);
  input.data_dir = config.agent.data_dir;
  input.now = clock.wall();
  if (const auto zone = TimeZone::load(config.agent.timezone))
    input.today = local_date(input.now, *zone);
  input.when_full = name(config.buffer.when_full);
  const auto id = agent_id(config.agent, false);
  input.agent = id && loaded.whole ? *id : "?";
  for (const Component& source : config.sources) {
    SourceHealth& health = input.sources.emplace_back();
    health.name = source.name;
  }
  for (const Component& sink : config.sinks)
    input.sinks.push_back(
        {.name = sink.name, .courier = {}, .max_age = {}, .inputs = sink_inputs(sink)});
  return input;
}

int status(const Invocation& invocation) {
  const bool json = invocation.has("json");
  log::set_level(log::Level::kOff);  // this command's words are its screen
  const auto loaded = load_config(load_options(invocation, Needs::kBuffer), make_schema());
  // Members of adm may ask an agent whose config they cannot read.
  std::vector<std::string> sockets = {kServiceSocket};
  std::string data_dir;
  if (loaded) {
    data_dir = loaded->config.agent.data_dir;
    sockets = agent_sockets(loaded->config.agent);
  }
  // Where a config has an error it says nothing, and a running agent is on without it.
  if (const auto given = invocation.value("socket")) {
    sockets = {*given};
    data_dir.clear();
  }
  auto agent = find_agent(sockets, data_dir);
  // The service may listen elsewhere than this config and this user would have it.
  if (!agent)
    if (auto service = find_agent({kServiceSocket}, data_dir)) agent = std::move(service);
  if (agent) return show(agent->report, json);
  if (agent.error().code != ErrorCode::kNotFound) {
    complain(agent.error().message);
    return kExitUsage;
  }
  if (!loaded) {
    for (const config::Problem& problem : loaded.error().errors) complain(problem.text());
    return kExitUsage;
  }

  const auto clock = make_system_clock();
  ReportInput input = without_agent(*loaded, *clock);
  std::vector<std::string> notes;
  auto snapshot = read_buffer(loaded->config, *clock, notes);
  if (snapshot) input.store = std::move(*snapshot);
  StatusReport stopped = make_report(input);
  stopped.notes.insert(stopped.notes.end(), notes.begin(), notes.end());
  if (!snapshot)
    stopped.notes.push_back(with_advice(snapshot.error(), loaded->config.agent.data_dir).message);
  return show(stopped, json);
}

}  // namespace

Command status_command() {
  return {
      .name = "status",
      .arguments = "",
      .summary = "how it is going: sources, sinks, buffer, health",
      .description =
          "Asks the running agent over its status socket (root, the agent's user and the\n"
          "group adm may). Without an agent it reads the buffer, changes nothing and says\n"
          "so.\n"
          "\n"
          "IN ALL and DELIVERED count for ever: what was committed = delivered + backlog +\n"
          "dropped + dead letters, of what came since a sink was added. SINCE START is\n"
          "what this process has read, so less than IN ALL after a restart; a little of\n"
          "it may not be committed yet. A sink is waiting while its next batch is neither\n"
          "full nor old enough.\n"
          "\n"
          "disk writes: what this process had written to all disks (write_bytes of\n"
          "/proc/self/io), for each byte that it took in: the buffer's pages and the\n"
          "objects of directory sinks. The file system's own journal is not in it; it is\n"
          "in what all programs write to the whole disk.\n"
          "commit: of the buffer, its flush included; before it the files that were read\n"
          "are flushed, lest the buffer know more of them than a power cut leaves.\n"
          "\n"
          "degraded: the last reload was refused, a source cannot read, a sink is parked,\n"
          "each attempt of a sink has failed for 30 s (two at least), a sink has a backlog\n"
          "of which nothing was acknowledged for 10 minutes, a call on a destination\n"
          "hangs, there are dead letters, buffers are set aside, commits fail, or the\n"
          "buffer is at 90 % or full.\n"
          "down: no agent runs, its intake stands still, commits have failed for a minute,\n"
          "the buffer's file is gone and cannot be put back, or the buffer is full, nothing\n"
          "may be dropped (block; drop_oldest where all of it is under way) and no sink has\n"
          "delivered for a minute.",
      .options = {{"json", "", "The same as JSON, for programs: versioned by its field \"format\""},
                  {"socket", "PATH",
                   "Where the agent listens, if its config cannot be read to tell"}},
      .examples =
          "edgehose status\n"
          "edgehose status --json | jq .buffer.full_in_seconds",
      .exit_codes =
          "0  healthy\n"
          "1  degraded\n"
          "2  down; also a wrong command line or config",
      .run = status};
}

}  // namespace edgehose
