#include "agent/run/agent.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/config/agent_id.h"
#include "agent/run/control_server.h"
#include "agent/run/intake.h"
#include "agent/run/intake_thread.h"
#include "agent/run/notify.h"
#include "agent/run/once.h"
#include "agent/run/opening.h"
#include "agent/run/progress.h"
#include "agent/run/registry.h"
#include "agent/run/status_meter.h"
#include "agent/run/status_report.h"
#include "agent/run/watchdog.h"
#include "sinks/delivery/courier_thread.h"

namespace edgehose {
namespace {

constexpr Duration kSampleEvery = std::chrono::seconds(30);
// How long a data_dir that was taken away is waited for.
constexpr Duration kDisplacedPatience = std::chrono::minutes(10);
constexpr Duration kOncePoll = std::chrono::milliseconds(50);
constexpr Duration kCourierStopTime = std::chrono::seconds(1);

// SIGTERM, SIGINT and SIGHUP as a descriptor. Made before any thread, so that all inherit the mask.
Result<FileDescriptor> block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "blocking signals");
  ::signal(SIGPIPE, SIG_IGN);
  FileDescriptor fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "making a signal descriptor");
  return fd;
}

struct SinkSlot {
  std::string name;
  std::vector<std::string> inputs;
  Duration max_age{};
  std::unique_ptr<CourierThread> thread;
};

class Agent {
 public:
  Agent(const LoadedConfig& loaded, const RunOptions& options)
      : loaded_(loaded), config_(loaded.config), options_(options), clock_(make_system_clock()) {}

  Status start();
  int run();

 private:
  Status open_listening();
  Status open();
  Status open_store();
  Status make_parts();
  void listen_for_control();
  void log_start() const;
  void step();
  void take_signals();
  void serve_control();
  bool in_the_kernel(const SinkSlot& sink) const;
  SinkInput sink_input(const SinkSlot& sink) const;
  std::vector<LoopSilence> loops(Instant now) const;
  bool too_late(Instant now) const;
  std::string make_status() const;
  void hourly_line();
  void sample();
  void look_around(Instant now);
  bool once_is_over();
  int once_ends(bool complete) const;
  Progress progress() const;
  int take_down();

  const LoadedConfig& loaded_;
  const Config& config_;
  const RunOptions& options_;
  const std::unique_ptr<Clock> clock_;
  const Instant started_ = clock_->now();
  std::string agent_id_;
  CommitProfile profile_;
  Device device_;  // below the buffer
  FileDescriptor signals_;
  Notifier notifier_ = Notifier::from_environment();
  Watchdog watchdog_{notifier_.watchdog_interval()};
  const std::shared_ptr<OpenProgress> opening_ = std::make_shared<OpenProgress>();
  std::unique_ptr<ControlServer> control_server_;

  // In the order of their dependence: what is later uses what is earlier.
  std::unique_ptr<Store> store_;
  Waker intake_waker_, control_waker_;
  Mailbox<ChangeOutcome> change_outcomes_{control_waker_};
  std::unique_ptr<Intake> intake_;
  std::vector<SinkSlot> sinks_;
  std::unique_ptr<IntakeThread> intake_thread_;

  std::optional<OnceReport> once_;  // run --once
  BufferMeter meter_;
  ProgressPrinter printer_{stderr, ::isatty(STDERR_FILENO) == 1};
  Instant next_sample_{};
  Instant next_hour_ = started_ + std::chrono::hours(1);
  std::optional<int> exit_code_;
};

Status Agent::start() {
  EH_ASSIGN(signals_, block_signals());
  EH_TRY(open_listening());

  listen_for_control();
  log_start();
  intake_thread_ = std::make_unique<IntakeThread>(*intake_, *store_, *clock_, intake_waker_);
  if (!exit_code_)
    notifier_.ready(
        fmt::format("{} source(s), {} sink(s)", config_.sources.size(), config_.sinks.size()));
  return {};
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
  std::optional<Instant> break_off;
  while (!opening.ended()) {
    const Instant now = clock_->now();
    if (too_late(now)) exit_code_ = 3;
    if (exit_code_ && !break_off) break_off = now + kOpeningStopTime;
    if (break_off && now >= *break_off) {
      log::warn("stop: the start is broken off ({}); nothing is lost, the next start does it anew",
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
  EH_TRY(open_store());
  device_ = find_device(config_.agent.data_dir);
  opening_->begin("making sources and sinks");
  EH_TRY(make_parts());
  EH_TRY(intake_->start());
  if (!options_.once) return {};
  EH_ASSIGN(Ledger ledger, read_ledger(*store_));
  std::vector<SinkInputs> sinks;
  for (const SinkSlot& sink : sinks_) sinks.push_back({sink.name, sink.inputs});
  once_.emplace(std::move(ledger), std::move(sinks));
  return {};
}

Status Agent::open_store() {
  EH_ASSIGN(StoreOptions options, store_options(config_));
  options.progress = opening_;
  EH_ASSIGN(store_, Store::open(options, *clock_));
  return {};
}

Status Agent::make_parts() {
  FileEnvironment files;
  files.once = options_.once;
  files.exclude = {quote_glob(config_.agent.data_dir) + "/**"};
  std::vector<SinkParts> parts;
  const SinkContext context{agent_id_, config_.agent.labels, config_.agent.timezone};
  for (const Component& component : config_.sinks) {
    EH_ASSIGN(SinkParts sink, make_sink(component, context));
    files.exclude.insert(files.exclude.end(), sink.own_files.begin(), sink.own_files.end());
    parts.push_back(std::move(sink));
  }
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
    link.pass_through = sink.pass_through;
    links.push_back(std::move(link));
  }
  intake_ = std::make_unique<Intake>(*store_, *clock_, intake_waker_, options, std::move(sources),
                                     std::move(links));

  intake_->connect_operator(change_outcomes_, change_context(config_, true));

  for (SinkParts& sink : parts) {
    CourierOptions courier;
    courier.retry = sink.config.retry;
    courier.concurrency = sink.config.concurrency;
    courier.recognises = sink.recognises;
    courier.seed = std::random_device{}();
    auto made =
        std::make_unique<Courier>(sink.sink, std::move(sink.transport), sink.bodies(*store_),
                                  *store_, *clock_, intake_->inbox(), courier);
    EH_TRY(intake_->connect(sink.config.name, made->claims(), made->holds()));
    sinks_.push_back({sink.config.name, sink.config.inputs, sink.config.batch.max_age,
                      std::make_unique<CourierThread>(std::move(made), *clock_)});
  }
  return {};
}

void Agent::log_start() const {
  const StoreUsage usage = store_->usage();
  log::info("edgehose {} starts: agent {}, {} source(s), {} sink(s), data in {}", options_.version,
            agent_id_, config_.sources.size(), config_.sinks.size(), config_.agent.data_dir);
  log::info("buffer: {} of {} used, profile {}: records wait {} at most for their commit",
            format_size(usage.used), format_size(usage.limit), profile_.name,
            format_duration(profile_.commit_limit));
  for (const config::Problem& warning : loaded_.warnings) log::warn("config: {}", warning.text());
}

int Agent::run() {
  while (!exit_code_) step();
  return take_down();
}

void Agent::step() {
  const Instant now = clock_->now();
  Instant next = std::min(next_hour_, next_sample_);
  if (watchdog_.due(now, loops(now))) notifier_.watchdog();
  next = std::min(next, watchdog_.next(now));
  if (now >= next_sample_) sample();
  if (now >= next_hour_) hourly_line();
  if (options_.once) {
    if (once_is_over()) return;
    next = now + kOncePoll;
  }
  const int control_fd = control_server_ ? control_server_->fd() : -1;
  if (control_server_) next = std::min(next, control_server_->deadline());
  const std::array<int, 3> fds{signals_.get(), control_fd, control_waker_.fd()};
  clock_->wait(fds, next);
  take_signals();
  if (control_server_) serve_control();
}

// Changes are made by the intake thread, the only writer; their outcomes come back here.
void Agent::serve_control() {
  control_waker_.drain();
  for (const ChangeOutcome& outcome : change_outcomes_.take()) {
    const auto* confirm = std::get_if<ConfirmSink>(&outcome.change);
    for (SinkSlot& sink : sinks_)
      if (confirm != nullptr && outcome.report && sink.name == confirm->sink)
        sink.thread->courier().note_changed();
    control_server_->answer(outcome.ticket, outcome.report);
  }
  control_server_->serve({[this] { return make_status(); },
                          [this](ControlTicket ticket, const ControlChange& change) {
                            intake_->changes().post({ticket, change});
                          }});
}

void Agent::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      log::info("SIGHUP: the config is read at the start only: restart to apply a new one");
      continue;
    }
    log::info("stop: {} received", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    exit_code_ = options_.once ? 3 : 0;
  }
}

// What hangs in a system call on its destination is not wedged: a restart would hang there again,
// and take the other sinks along. Status tells it.
bool Agent::in_the_kernel(const SinkSlot& sink) const {
  return !sink.thread->courier().call().what.empty();
}

std::vector<LoopSilence> Agent::loops(Instant now) const {
  std::vector<LoopSilence> loops{{"intake", intake_->heartbeat().silence(now), kWedgedIntake}};
  for (const SinkSlot& sink : sinks_)
    if (!in_the_kernel(sink))
      loops.push_back({"sink " + sink.name, now - sink.thread->beat(), kWedgedCourier});
  return loops;
}

void Agent::sample() {
  const Instant now = clock_->now();
  meter_.sample(now, store_->usage(), bytes_written_by_now(device_));
  next_sample_ = now + kSampleEvery;
  look_around(now);
}

// What was deleted under the agent: its socket is made anew. Where the buffer's files cannot be put
// back, the agent ends when it has delivered what it holds: the next start finds or makes another
// data_dir (systemd's StateDirectory), and reads again what is still there.
void Agent::look_around(Instant now) {
  const std::string socket = status_socket_path(config_.agent);
  if (control_server_ && ::access(socket.c_str(), F_OK) != 0) listen_for_control();
  const IntakeStatus intake = intake_->status().read();
  if (intake.displaced.empty() || !intake.nothing_held) return;
  if (now - intake.displaced_since < kDisplacedPatience) return;
  log::error("stop: {}; everything it held is delivered, the next start makes a new buffer",
             intake.displaced);
  exit_code_ = 1;
}

SinkInput Agent::sink_input(const SinkSlot& sink) const {
  const Courier& courier = sink.thread->courier();
  SinkInput input{sink.name, courier.status().read(), sink.max_age, "", {}};
  const Call call = courier.call();
  input.call = call.what;
  if (!call.what.empty()) input.call_for = std::max(clock_->now() - call.since, Duration::zero());
  return input;
}

std::string Agent::make_status() const {
  ReportInput input;
  const IntakeStatus intake = intake_->status().read();
  input.agent = agent_id_;
  input.version = options_.version;
  input.data_dir = config_.agent.data_dir;
  input.pid = ::getpid();
  input.uptime = clock_->now() - started_;
  input.now = clock_->wall();
  input.when_full = name(config_.buffer.when_full);
  input.buffer_full = intake.blocked;
  input.intake_problem = intake.problem;
  input.displaced = intake.displaced;
  input.intake_silence = intake_->heartbeat().silence(clock_->now());
  input.last_flush = intake.last_flush;
  input.mean_flush = intake.mean_flush;
  input.device = device_.disk;
  input.sources = intake.sources;
  for (const SinkSlot& sink : sinks_) input.sinks.push_back(sink_input(sink));
  if (auto store = read_store(*store_)) input.store = std::move(*store);
  input.rates = meter_.rates();
  return to_json(make_report(input));
}

void Agent::hourly_line() {
  next_hour_ += std::chrono::hours(1);
  std::uint64_t read = 0, behind = 0;
  for (const SourceHealth& source : intake_->status().read().sources) {
    read += source.read_records;
    behind += source.behind_bytes;
  }
  std::uint64_t sent = 0, retries = 0;
  for (const SinkSlot& sink : sinks_) {
    const CourierStatus status = sink.thread->courier().status().read();
    sent += status.sent_objects;
    retries += status.retries;
  }
  const StoreUsage usage = store_->usage();
  log::info(
      "since start: {} records read, {} behind, {} batches delivered, {} retries; buffer {} of {}",
      format_count(read), format_size(behind), format_count(sent), format_count(retries),
      format_size(usage.used), format_size(usage.limit));
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

bool Agent::too_late(Instant now) const {
  return options_.timeout && now - started_ >= *options_.timeout;
}

bool Agent::once_is_over() {
  const Instant now = clock_->now();
  const bool complete = intake_->status().read().complete;
  const bool late = too_late(now);
  // At first nobody knows what there is: no bar of nothing.
  const Progress so_far = progress();
  const bool known = so_far.bytes_total > 0 || so_far.waiting > 0;
  if (options_.progress && known) printer_.update(so_far, now);
  if (!complete && !late) return false;
  if (options_.progress) printer_.finish(progress(), now);
  exit_code_ = once_ends(complete);
  return true;
}

// Says what is not as it was asked for; the exit code.
int Agent::once_ends(bool complete) const {
  const std::vector<SourceHealth> sources = intake_->status().read().sources;
  std::vector<std::string> shortfalls;
  if (const auto ledger = read_ledger(*store_))
    shortfalls = once_->shortfalls(*ledger, sources);
  else
    shortfalls.push_back(ledger.error().message);
  if (!complete)
    log::warn("run --once: the time limit came first; {}run it again",
              shortfalls.empty() ? "nothing is lost, " : "what waits is kept: ");
  for (const std::string& line : shortfalls) log::error("run --once: not delivered: {}", line);
  for (const SourceHealth& source : sources)
    if (!source.unreadable && !source.problem.empty())
      log::warn("run --once: source {}: {}", source.name, source.problem);
  if (!complete) return 3;
  return shortfalls.empty() ? 0 : 1;
}

// Couriers first: what they have settled rides the last commit. Whoever hangs in a system call on a
// dying device is left behind: what is committed is safe, and the process must end.
int Agent::take_down() {
  notifier_.stopping();
  const Instant deadline = clock_->now() + kStopTime;
  for (SinkSlot& sink : sinks_) sink.thread->request_stop();
  bool all_ended = true;
  const Instant couriers_deadline = clock_->now() + kCourierStopTime;
  for (SinkSlot& sink : sinks_) {
    const Duration left = std::max(couriers_deadline - clock_->now(), Duration::zero());
    const bool ended =
        sink.thread->wait_stopped(std::chrono::duration_cast<std::chrono::milliseconds>(left));
    if (!ended) log::warn("stop: sink {} hangs in its destination and is left behind", sink.name);
    all_ended = all_ended && ended;
  }
  intake_thread_->request_stop();
  if (!intake_thread_->wait_stopped(deadline)) {
    log::warn("stop: the buffer's device hangs; what was committed is safe");
    all_ended = false;
  }
  log::info("stopped");
  if (!all_ended) ::_exit(*exit_code_);
  return *exit_code_;
}

}  // namespace

Result<int> run_agent(const LoadedConfig& config, const RunOptions& options) {
  Agent agent(config, options);
  EH_TRY(agent.start());
  return agent.run();
}

}  // namespace edgehose
