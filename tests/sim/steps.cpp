// What each step of a plan does to the world.
#include <fmt/format.h>

#include "agent/run/change.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

namespace edgehose::sim {
void World::take(const Op& op) {
  chance_ = Random(std::uint64_t{op.a} << 32 | op.b);
  const unsigned source = op.a % setup_.sources;
  switch (op.step) {
    case Step::kWrite:
      logs_.write(source, 1 + op.b % 12, setup_.small_buffer ? 3000 : 10, clock_.wall());
      break;
    case Step::kRotate: logs_.rotate(source, clock_.wall()); break;
    case Step::kCopyTruncate: logs_.copy_truncate(source, clock_.wall()); break;
    case Step::kDelete: logs_.remove_oldest(source); break;
    case Step::kIntake: intake_->step(); break;
    case Step::kCourier: step_courier(op); break;
    case Step::kAnswer: answer(op); break;
    case Step::kArrive: arrive_late(op); break;
    case Step::kIndex: index(op); break;
    case Step::kForget: servers_.collectors[op.a % setup_.hosts].restart(); break;
    case Step::kHost:
      network::turn(op.a % 2 == 0 ? "index" : "collector", op.b % setup_.hosts);
      break;
    case Step::kTime: clock_.advance(std::chrono::milliseconds(1 + op.a % 8000)); break;
    case Step::kJump: jump(op); break;
    case Step::kDisk: fail_disk(op); break;
    case Step::kKill:
    case Step::kPowerCut:
    case Step::kStop: begin_anew(op); break;
    case Step::kReplay: replay(); break;
    case Step::kCount_: break;
  }
}

void World::begin_anew(const Op& op) {
  variant_ = op.a;
  const bool cut = op.step == Step::kPowerCut;
  const auto committed = cut ? positions() : std::map<std::uint64_t, std::uint64_t>{};
  if (op.step == Step::kStop) stop_in_order();
  end_life();
  disk::disarm();
  if (cut) logs_.cut_power(op.b, committed);
  boots_ += cut ? 1 : 0;
  begin_life();
}

void World::step_courier(const Op& op) {
  if (!deliveries_.empty()) deliveries_[op.a % deliveries_.size()].courier->step();
}

// Half of all answers are good ones.
void World::answer(const Op& op) {
  const std::size_t requests = network::under_way().all;
  const std::size_t files = files_ == nullptr ? 0 : files_->under_way();
  if (requests + files == 0) return;
  const unsigned draw = op.b % 12;
  const Fate fate = draw < 6 ? Fate::kAnswered : static_cast<Fate>(1 + (draw - 6) % 5);
  const std::size_t which = op.a % (requests + files);
  if (which < requests)
    network::answer(which, fate, op.b >> 8 & 1, chance_);
  else
    files_->answer(which - requests, fate);
}

void World::arrive_late(const Op& op) {
  if (op.b % 4 == 0)
    network::never_arrive(op.a);
  else
    network::arrive_late(op.a, chance_);
}

void World::index(const Op& op) {
  servers_.collectors[op.b % setup_.hosts].index(1 + op.a % 4, servers_.collected);
}

void World::fail_disk(const Op& op) {
  may_drop_ = true;  // of a sink that is not in the config
  disk::arm(op.a % 2 == 0 ? disk::Fault::kFull : disk::Fault::kIo, op.b % 6);
}

// By a year, either way, or back to when the device was made.
void World::jump(const Op& op) {
  constexpr std::int64_t kYear = 31'536'000'000'000'000;
  switch (op.a % 3) {
    case 0: clock_.set_wall(WallTime(clock_.wall().value + kYear)); break;
    case 1: clock_.set_wall(WallTime(clock_.wall().value - kYear)); break;
    default: clock_.set_wall(WallTime(std::int64_t{op.b} * 1'000'000)); break;
  }
}

void World::replay() { intake_->changes().post({1, ReplayLetters{}}); }

}  // namespace edgehose::sim
