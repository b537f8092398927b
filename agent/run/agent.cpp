#include "agent/run/agent.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <random>

#include "agent/base/log_event.h"
#include "agent/base/text.h"
#include "agent/config/agent_id.h"
#include "agent/run/agent_impl.h"
#include "agent/run/bus_error.h"

namespace edgehose {
namespace {

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// SIGTERM, SIGINT and SIGHUP as a descriptor. Made before any thread, so that all inherit the mask.
Result<FileDescriptor> block_signals() {
  const sigset_t set = signal_set({SIGTERM, SIGINT, SIGHUP});
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "blocking signals");
  ::signal(SIGPIPE, SIG_IGN);
  FileDescriptor fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "making a signal descriptor");
  return fd;
}

}  // namespace

// Where it fails in a reload this process starts anew, and would have a second drain beside it.
Status Agent::start() {
  Status begun = begin();
  if (!begun) drain_.stop(*clock_, kDrainStopTime);
  return begun;
}

Status Agent::begin() {
  if (!options_.once) drain_.start(loaded_, options_);
  EH_ASSIGN(descriptors_, plan_descriptors(config_, raise_descriptor_limit()));
  EH_ASSIGN(signals_, block_signals());
  tell_bus_errors(config_.agent.data_dir);
  EH_TRY(open_listening());

  listen_for_control();
  log_start();
  intake_thread_ = std::make_unique<IntakeThread>(*intake_, *store_, *clock_, intake_waker_);
  if (!exit_code_)
    notifier_.ready(fmt::format("{}, {}", format_count(config_.sources.size(), "source"),
                                format_count(config_.sinks.size(), "sink")));
  return {};
}

// What was signalled while a reload's start failed. A hangup is left to the process that this one
// becomes: it is pending until that one takes it.
std::optional<int> Agent::stop_instead_of_going_back(const Error& why) {
  if (options_.handed.before.empty()) return std::nullopt;
  if (exit_code_)
    log::error("reload: a start with the new config fails, and the agent stops as it was asked: {}",
               why.message);
  else if (hangup_)
    ::kill(::getpid(), SIGHUP);
  return exit_code_;
}

void Agent::listen_for_control() {
  control_server_.reset();
  if (auto server = ControlServer::listen(status_socket_path(config_.agent), *clock_))
    control_server_ = std::move(*server);
  else  // a status that cannot be asked for is no reason to lose lines
    log::warn("status: {}; `edgehose status` will read the buffer instead", server.error().message);
}

// Signals are heard meanwhile. An opening that does not end soon after one is left as a kill would
// leave it, which it survives at every instruction.
Status Agent::open_listening() {
  Opening opening([this] { return open(); });
  OpeningReport report(*opening_, notifier_, clock_->now());
  report.feed_watchdog(!options_.handed.config.empty());  // systemd counts on from before a reload
  std::optional<Instant> break_off;
  while (!opening.ended()) {
    const Instant now = clock_->now();
    if (too_late(now)) exit_code_ = 3;
    if (exit_code_ && !break_off) break_off = now + kOpeningStopTime;
    if (break_off && now >= *break_off) {
      log::event(log::Level::kWarn,
                 "stop: the start is broken off ({}); nothing is lost, the next start does it anew",
                 opening_->words());
      ::_exit(*exit_code_);
    }
    const std::array<int, 2> fds{signals_.get(), opening.fd()};
    Instant next = std::min(break_off.value_or(kNever), report.step(now));
    if (options_.once) next = std::min(next, now + kOncePoll);
    clock_->wait(fds, next);
    take_signals();
  }
  return opening.result();
}

Status Agent::open() {
  EH_TRY(make_directories(config_.agent.data_dir, 0750));
  EH_ASSIGN(agent_id_, agent_id(config_.agent, true));
  profile_ = commit_profile(config_);
  EH_ASSIGN(zone_, TimeZone::load(config_.agent.timezone));
  EH_TRY(open_store());
  device_ = find_device(config_.agent.data_dir);
  opening_->begin("making sources and sinks");
  EH_TRY(make_parts());
  EH_TRY(intake_->start());
  EH_ASSIGN(at_start_, read_ledger(*store_));
  if (!options_.once) return {};
  std::vector<SinkInputs> sinks;
  for (const SinkSlot& sink : sinks_) sinks.push_back({sink.name, sink.inputs});
  once_.emplace(at_start_, std::move(sinks));
  return {};
}

Status Agent::open_store() {
  EH_ASSIGN(StoreOptions options, store_options(config_));
  options.progress = opening_;
  options.sets_aside = !options_.drains;
  EH_ASSIGN(store_, Store::open(options, *clock_));
  return {};
}

Status Agent::make_parts() {
  FileEnvironment files;
  files.once = options_.once;
  files.open_files = descriptors_.open_files;
  files.output = {STDOUT_FILENO, STDERR_FILENO};
  std::vector<SinkParts> parts;
  const SinkContext context = sink_context(config_.agent, agent_id_);
  for (const Component& component : config_.sinks) {
    EH_ASSIGN(SinkParts sink, make_sink(component, context));
    parts.push_back(std::move(sink));
  }
  files.exclude = own_files(config_.agent, parts);
  EH_ASSIGN(std::vector<std::unique_ptr<Source>> sources,
            make_sources(config_.sources, *store_, *clock_, std::move(files)));

  IntakeOptions options;
  options.when_full = config_.buffer.when_full;
  options.commit_limit = profile_.commit_limit;
  options.ack_limit = profile_.ack_limit;
  options.flush = options_.once;
  std::vector<SinkLink> links;
  for (const SinkParts& sink : parts) {
    SinkLink link;
    link.config = sink.config;
    link.sink = sink.sink;
    link.estimate = sink.estimate;
    links.push_back(std::move(link));
  }
  intake_ = std::make_unique<Intake>(*store_, *clock_, intake_waker_, options, std::move(sources),
                                     std::move(links));

  intake_->connect_operator(change_outcomes_, change_context(config_, true));

  for (SinkParts& sink : parts) EH_TRY(add_sink(sink));
  return {};
}

Status Agent::add_sink(SinkParts& sink) {
  CourierOptions options;
  options.retry = sink.config.retry;
  options.concurrency = sink.config.concurrency;
  options.recognises = sink.recognises;
  options.seed = std::random_device{}();
  auto courier = std::make_unique<Courier>(sink.sink, sink.transport(*clock_), sink.bodies(*store_),
                                           *store_, *clock_, intake_->inbox(), options);
  std::shared_ptr<TrafficMeter> meter;
  if (sink.networked)
    meter = std::make_shared<TrafficMeter>(
        zone_, *clock_, [&status = courier->status()] { return status.read().wire; });
  EH_TRY(intake_->connect(sink.config.name, courier->claims(), courier->holds(), meter));
  sinks_.push_back({sink.config.name, sink.config.inputs, sink.config.batch.age(),
                    std::make_unique<CourierThread>(std::move(courier), *clock_),
                    std::move(meter)});
  return {};
}

void hold_hangups() {
  const sigset_t set = signal_set({SIGHUP});
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<int> run_agent(const LoadedConfig& config, const RunOptions& options) {
  std::optional<Handover> next;
  {
    Agent agent(config, options);
    if (const Status started = agent.start(); !started) {
      if (const auto code = agent.stop_instead_of_going_back(started.error())) return *code;
      return tl::unexpected(go_back(options.handed, started.error()));
    }
    const int code = agent.run();
    next = agent.handover();
    if (!next) return code;
  }
  return tl::unexpected(start_anew(*next));
}

}  // namespace edgehose
