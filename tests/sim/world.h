// World: a device, its agent and its servers, in one thread under one clock, and the model that
// knows what must be true of them:
//
//   - nothing that was committed is lost: committed = delivered + buffered + dropped +
//     dead-lettered, of every lane at every moment, and at the end each line that a file still
//     holds has arrived, is a dead letter, or was dropped by policy and counted;
//   - nothing is doubled where the destination allows it; elsewhere no more than was told;
//   - lines of a source come in their order, within each object;
//   - a position is never beyond what is safe of its file;
//   - memory is bounded: what intake holds, claims under way, requests at once;
//   - when faults cease, all drains, in bounded time;
//   - a day later no upload is left that was begun and never completed.
//
// Threading: one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/config/agent_config.h"
#include "agent/run/intake.h"
#include "agent/run/registry.h"
#include "buffer/store.h"
#include "sinks/delivery/courier.h"
#include "tests/sim/files.h"
#include "tests/sim/logs.h"
#include "tests/sim/network.h"
#include "tests/sim/plan.h"

namespace edgehose::sim {

// What a call gives; Broken where it fails, `what` being what it does.
template <class T>
T must(Result<T> result, const char* what) {
  if (!result) throw Broken{fmt::format("{}: {}", what, result.error().message)};
  return *std::move(result);
}

class World {
 public:
  // `directory`: empty, in memory best; what is made in it stays.
  World(const Setup& setup, std::string directory, Bug bug);
  ~World();

  // Throws Broken.
  void run(const std::vector<Op>& ops);

 private:
  struct Delivery {
    std::string name;
    std::unique_ptr<Courier> courier;
    unsigned concurrency = 0;
  };

  // world.cpp: lives
  std::string config_text() const;
  std::string prefix() const;  // of objects
  void begin_life();
  void add_sink(SinkParts& parts);
  void see_all_logs();
  void end_life();
  void stop_in_order();
  StoreOptions store_options() const;

  // steps.cpp: what each step does
  void take(const Op& op);
  void begin_anew(const Op& op);
  void step_courier(const Op& op);
  void answer(const Op& op);
  void arrive_late(const Op& op);
  void index(const Op& op);
  void fail_disk(const Op& op);
  void jump(const Op& op);
  void replay();

  // checks.cpp: what must be true
  void check_step();
  void check_bounds() const;
  void check_lanes() const;
  void cease_faults();
  void drain();
  Instant step_all();
  bool is_drained() const;
  std::string what_waits() const;
  void check_leftovers();
  void check_counters() const;
  void check_end() const;
  void check_arrivals(const std::string& sink, const Arrivals& arrivals) const;
  void check_order(const Bucket& bucket) const;
  std::set<Token> dead_letters() const;
  std::map<std::uint64_t, std::uint64_t> positions() const;  // by inode

  const Setup setup_;
  const std::string directory_;
  ManualClock clock_;
  Logs logs_;
  Servers servers_;
  std::deque<File> interrupted_;
  Random chance_;  // of a step, from its numbers
  unsigned life_ = 0, boots_ = 1;
  std::uint32_t variant_ = 0;  // of this life's config
  std::uint64_t steps_ = 0;
  bool calm_ = false;      // faults have ceased
  bool may_drop_ = false;  // the buffer fills, or its disk was full

  std::optional<Config> config_;
  std::unique_ptr<Store> store_;
  Waker waker_;
  Mailbox<ChangeOutcome> outcomes_{waker_};
  std::unique_ptr<Intake> intake_;
  std::vector<Delivery> deliveries_;
  SimFiles* files_ = nullptr;  // the directory's, while it is in the config
};

}  // namespace edgehose::sim
