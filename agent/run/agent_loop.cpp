// The agent's main loop: signals, the control socket, the watchdog, the end of run --once; and how
// it is taken down.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/base/log_event.h"
#include "agent/run/agent_impl.h"

namespace edgehose {
namespace {

constexpr Duration kSampleEvery = std::chrono::seconds(30);
constexpr Duration kCourierStopTime = std::chrono::seconds(1);

}  // namespace

int Agent::run() {
  while (!exit_code_ && !handover_) step();
  return take_down();
}

void Agent::step() {
  const Instant now = clock_->now();
  if (hourly_.due(now)) log_hour(now);
  Instant next = hourly_.next();
  if (const auto moves = opening_->moves(); std::exchange(store_moves_, moves) != moves)
    store_moved_ = now;
  if (watchdog_.due(now, loops(now))) notifier_.watchdog();
  next = std::min(next, watchdog_.next(now));
  if (now >= next_sample_) sample();
  if (exit_code_) return;
  next = std::min(next, next_sample_);
  if (options_.once) {
    if (once_is_over()) return;
    next = now + kOncePoll;
  }
  if (hangup_) next = std::min(next, started_ + kReloadPause);
  const int control_fd = control_server_ ? control_server_->fd() : -1;
  if (control_server_) next = std::min(next, control_server_->deadline());
  const std::array<int, 3> fds{signals_.get(), control_fd, control_waker_.fd()};
  clock_->wait(fds, next);
  take_signals();
  heed_hangup(now);
  if (control_server_ && !handover_) serve_control();
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
                          },
                          [this] { return reload(); }});
}

void Agent::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      hangup_ = true;
      continue;
    }
    log::event(log::Level::kInfo, "stop: {} received",
               info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    exit_code_ = options_.once ? 3 : 0;
  }
}

// What hangs in a system call on its destination is not wedged: a restart would hang there again,
// and take the other sinks along. Status tells it.
bool Agent::in_the_kernel(const SinkSlot& sink) const {
  return !sink.thread->courier().call().what.empty();
}

std::vector<LoopSilence> Agent::loops(Instant now) const {
  // Where it copies a deleted buffer back into its place, the copy tells how far it is.
  const Duration silence = std::min(intake_->heartbeat().silence(now), now - store_moved_);
  std::vector<LoopSilence> loops{{"intake", silence, kWedgedIntake}};
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
  drain_.reap();
  const std::string socket = status_socket_path(config_.agent);
  if (control_server_ && ::access(socket.c_str(), F_OK) != 0) listen_for_control();
  const IntakeStatus intake = intake_->status().read();
  if (!intake.given_up(now)) return;
  log::error("stop: {}; everything it held is delivered, the next start makes a new buffer",
             intake.displaced);
  exit_code_ = 1;
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

std::map<std::string, std::string> Agent::sink_errors() const {
  std::map<std::string, std::string> errors;
  for (const SinkSlot& sink : sinks_)
    errors[sink.name] = sink.thread->courier().status().read().last_error;
  return errors;
}

// Says what is not as it was asked for; the exit code.
int Agent::once_ends(bool complete) const {
  const std::vector<SourceHealth> sources = sources_of(intake_->status().read());
  std::vector<std::string> shortfalls, unfinished;
  if (const auto ledger = read_ledger(*store_)) {
    shortfalls = once_->shortfalls(*ledger, sources);
    if (!complete) unfinished = once_->unfinished(*ledger, sources, sink_errors());
  } else {
    shortfalls.push_back(ledger.error().message);
  }
  if (!complete)
    log::event(log::Level::kWarn, "run --once: the time limit came first; {}run it again",
               shortfalls.empty() ? "nothing is lost, " : "what waits is kept: ");
  for (const std::string& line : unfinished) log::event(log::Level::kWarn, "run --once: {}", line);
  for (const std::string& line : shortfalls) log::error("run --once: not delivered: {}", line);
  for (const SourceHealth& source : sources)
    if (!source.unreadable && !source.problem.empty())
      log::event(log::Level::kWarn, "run --once: source {}: {}", source.name, source.problem);
  if (!complete) return 3;
  return shortfalls.empty() ? 0 : 1;
}

// Couriers first: what they have settled rides the last commit. Whoever hangs in a system call on a
// dying device is left behind: what is committed is safe, and the process must end.
int Agent::take_down() {
  if (exit_code_) handover_.reset();
  if (handover_) {
    log::event(log::Level::kInfo, "reload: the config is good, this process starts anew with it");
    notifier_.reloading();
    notifier_.watchdog();
    drain_.ask_to_stop();  // while the rest stops
  } else {
    notifier_.stopping();
  }
  const Instant deadline = clock_->now() + kStopTime;
  for (SinkSlot& sink : sinks_) sink.thread->request_stop();
  bool all_ended = true;
  const Instant couriers_deadline = clock_->now() + kCourierStopTime;
  for (SinkSlot& sink : sinks_) {
    const Duration left = std::max(couriers_deadline - clock_->now(), Duration::zero());
    const bool ended =
        sink.thread->wait_stopped(std::chrono::duration_cast<std::chrono::milliseconds>(left));
    if (!ended)
      log::event(log::Level::kWarn, "stop: sink {} hangs in its destination and is left behind",
                 sink.name);
    all_ended = all_ended && ended;
  }
  intake_thread_->request_stop();
  if (!intake_thread_->wait_stopped(deadline)) {
    log::event(log::Level::kWarn, "stop: the buffer's device hangs; what was committed is safe");
    all_ended = false;
  }
  if (handover_) drain_.stop(*clock_, kDrainStopTime);
  log::tell_left_out();
  if (all_ended && !options_.once) log_losses();
  if (!handover_) log::event(log::Level::kInfo, "stopped");
  if (!all_ended) leave();
  return exit_code_.value_or(0);
}

// Threads that hang would be waited for.
void Agent::leave() const {
  if (!handover_) ::_exit(*exit_code_);
  log::error("{}; the service manager starts it", start_anew(*handover_).message);
  ::_exit(1);
}

}  // namespace edgehose
