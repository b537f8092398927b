// The Agent behind run_agent(): agent.cpp makes its parts, agent_loop.cpp is main's loop and the
// end, agent_reload.cpp judges a new config, agent_report.cpp is what it tells of itself. Included
// by these alone.
//
// Threading: one thread (main's), but open(), which runs in a thread of its own while main hears
// signals and waits for it.
#pragma once

#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/run/agent.h"
#include "agent/run/control_server.h"
#include "agent/run/descriptors.h"
#include "agent/run/drain.h"
#include "agent/run/intake.h"
#include "agent/run/intake_thread.h"
#include "agent/run/log_lines.h"
#include "agent/run/notify.h"
#include "agent/run/once.h"
#include "agent/run/opening.h"
#include "agent/run/progress.h"
#include "agent/run/registry.h"
#include "agent/run/status_meter.h"
#include "agent/run/status_report.h"
#include "agent/run/traffic.h"
#include "agent/run/watchdog.h"
#include "buffer/device.h"
#include "sinks/delivery/courier_thread.h"

namespace edgehose {

// What a process has to work in before a signal makes it start anew: a storm of them stops nothing,
// and fills no log.
constexpr Duration kReloadPause = std::chrono::seconds(2);
// What delivers set-aside buffers has to end in, before it is killed.
constexpr Duration kDrainStopTime = std::chrono::seconds(2);
constexpr Duration kOncePoll = std::chrono::milliseconds(50);

struct SinkSlot {
  std::string name;
  std::vector<std::string> inputs;
  Duration max_age{};
  std::unique_ptr<CourierThread> thread;
  std::shared_ptr<TrafficMeter> meter;  // null: no network carries it
};

class Agent {
 public:
  Agent(const LoadedConfig& loaded, const RunOptions& options)
      : loaded_(loaded), config_(loaded.config), options_(options), clock_(make_system_clock()) {}

  Status start();  // an error leaves nothing of it running
  int run();
  // What the process that this one becomes is to have; none: it ends.
  const std::optional<Handover>& handover() const { return handover_; }
  // After a start that failed: the exit code where a signal asked for a stop meanwhile.
  std::optional<int> stop_instead_of_going_back(const Error& why);

 private:
  Status begin();
  Status open_listening();
  Status open();
  Status open_store();
  Status make_parts();
  Status add_sink(SinkParts& sink);
  void listen_for_control();
  void log_start() const;
  void log_stranded() const;
  void step();
  void take_signals();
  void serve_control();
  void heed_hangup(Instant now);
  Result<ChangeReport> reload();
  Status judge(const LoadedConfig& next) const;
  Status refuse_while_a_sink_hangs() const;
  bool in_the_kernel(const SinkSlot& sink) const;
  SinkInput sink_input(const SinkSlot& sink, const IntakeStatus& intake) const;
  std::vector<LoopSilence> loops(Instant now) const;
  bool too_late(Instant now) const;
  static std::vector<SourceHealth> sources_of(const IntakeStatus& intake);
  std::string make_status() const;
  void log_hour(Instant now) const;
  void log_losses() const;
  void sample();
  void look_around(Instant now);
  bool once_is_over();
  std::map<std::string, std::string> sink_errors() const;
  int once_ends(bool complete) const;
  Progress progress() const;
  int take_down();
  [[noreturn]] void leave() const;

  const LoadedConfig& loaded_;
  const Config& config_;
  const RunOptions& options_;
  const std::unique_ptr<Clock> clock_;
  const Instant started_ = clock_->now();
  DrainProcess drain_;
  std::string agent_id_;
  CommitProfile profile_;
  DescriptorPlan descriptors_;
  TimeZone zone_;
  Device device_;  // below the buffer
  FileDescriptor signals_;
  Notifier notifier_ = Notifier::from_environment();
  Watchdog watchdog_{notifier_.watchdog_interval()};
  const std::shared_ptr<OpenProgress> opening_ = std::make_shared<OpenProgress>();
  std::uint64_t store_moves_ = 0;  // of it, as last seen
  Instant store_moved_{};          // when it last went on
  std::unique_ptr<ControlServer> control_server_;

  // In the order of their dependence: what is later uses what is earlier.
  std::unique_ptr<Store> store_;
  Waker intake_waker_, control_waker_;
  Mailbox<ChangeOutcome> change_outcomes_{control_waker_};
  std::unique_ptr<Intake> intake_;
  std::vector<SinkSlot> sinks_;
  std::unique_ptr<IntakeThread> intake_thread_;

  Ledger at_start_;                 // before this process read anything
  std::optional<OnceReport> once_;  // run --once
  BufferMeter meter_;
  ProgressPrinter printer_{stderr, ::isatty(STDERR_FILENO) == 1};
  Instant next_sample_{};
  Hourly hourly_{started_};
  std::optional<int> exit_code_;

  bool hangup_ = false;  // SIGHUP came
  ReloadReport reload_ = options_.handed.reload;
  std::optional<Handover> handover_;
};

}  // namespace edgehose
