#include "tests/sim/plan.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace edgehose::sim {
namespace {

struct Kind {
  Step step;
  std::string_view name;
  unsigned weight;  // how often it is drawn
};

constexpr std::array<Kind, static_cast<std::size_t>(Step::kCount_)> kKinds{{
    {Step::kWrite, "write", 30},
    {Step::kRotate, "rotate", 3},
    {Step::kCopyTruncate, "copytruncate", 1},
    {Step::kDelete, "delete", 1},
    {Step::kIntake, "intake", 60},
    {Step::kCourier, "courier", 50},
    {Step::kAnswer, "answer", 50},
    {Step::kArrive, "arrive late", 5},
    {Step::kIndex, "index", 10},
    {Step::kForget, "forget", 1},
    {Step::kHost, "host", 3},
    {Step::kTime, "time", 40},
    {Step::kJump, "jump", 2},
    {Step::kDisk, "disk", 4},
    {Step::kKill, "kill", 3},
    {Step::kPowerCut, "power cut", 2},
    {Step::kStop, "stop", 2},
    {Step::kReplay, "replay", 2},
}};

constexpr unsigned total_weight() {
  unsigned sum = 0;
  for (const Kind& kind : kKinds) sum += kind.weight;
  return sum;
}

Step draw_step(Random& random) {
  std::uint64_t left = random.below(total_weight());
  for (const Kind& kind : kKinds) {
    if (left < kind.weight) return kind.step;
    left -= kind.weight;
  }
  return Step::kIntake;
}

Setup draw_setup(std::uint64_t seed, Random& random) {
  Setup setup;
  setup.seed = seed;
  setup.sources = 1 + static_cast<unsigned>(random.below(2));
  const std::uint64_t sinks = 1 + random.below(15);  // one at least
  setup.bucket = (sinks & 1) != 0;
  setup.directory = (sinks & 2) != 0;
  setup.index = (sinks & 4) != 0;
  setup.collector = (sinks & 8) != 0;
  setup.hosts = 1 + static_cast<unsigned>(random.below(3));
  setup.balanced = random.one_in(3);
  setup.in_parts = random.one_in(2);
  setup.compression = static_cast<unsigned>(random.below(3));
  setup.small_buffer = random.one_in(5);
  setup.policy = setup.small_buffer ? static_cast<unsigned>(random.below(3)) : 0;
  setup.encrypted = random.one_in(4);
  setup.apart = random.one_in(8);
  return setup;
}

}  // namespace

Plan plan_of(std::uint64_t seed, unsigned steps) {
  Random random(seed);
  Plan plan;
  plan.setup = draw_setup(seed, random);
  plan.ops.reserve(steps);
  for (unsigned i = 0; i < steps; ++i) {
    Op op;
    op.step = draw_step(random);
    op.a = static_cast<std::uint32_t>(random.next());
    op.b = static_cast<std::uint32_t>(random.next());
    plan.ops.push_back(op);
  }
  return plan;
}

std::string to_text(const Op& op) {
  return fmt::format("{:<12} {:08x} {:08x}", kKinds[static_cast<std::size_t>(op.step)].name, op.a,
                     op.b);
}

std::string to_text(const Plan& plan) {
  const Setup& s = plan.setup;
  std::string text = fmt::format(
      "seed {}: {} source(s);{}{}{}{}{}; {} host(s){}; compression {}; policy {}{}{}{}\n", s.seed,
      s.sources, s.bucket ? " bucket" : "", s.in_parts ? " in parts" : "",
      s.directory ? " directory" : "", s.index ? " index" : "", s.collector ? " collector" : "",
      s.hosts, s.balanced ? " balanced" : "", s.compression, s.policy,
      s.small_buffer ? "; small buffer" : "", s.encrypted ? "; encrypted" : "",
      s.apart ? "; checked apart" : "");
  for (const Op& op : plan.ops) text += "  " + to_text(op) + "\n";
  return text;
}

}  // namespace edgehose::sim
