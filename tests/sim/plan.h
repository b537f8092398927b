// A plan: what one simulated life of a device is, as values that a seed makes. It can be run, told
// as text, and made smaller: a step says nothing of the others, so any of them may be left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgehose::sim {

// A small generator (SplitMix64): the same numbers on every machine and with every library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

enum class Step : std::uint8_t {
  kWrite,         // a log grows
  kRotate,        // ... is renamed, and begun anew
  kCopyTruncate,  // ... is copied, and cut to nothing
  kDelete,        // the oldest rotation goes
  kIntake,        // the agent's loops take a step
  kCourier,
  kAnswer,    // a server answers a request, well or badly
  kArrive,    // a request of a life that ended reaches its server late
  kIndex,     // the collector's indexers take in what they have accepted
  kForget,    // ... are restarted, and lose what they have not
  kHost,      // a host of several goes away, or comes back
  kTime,      // passes
  kJump,      // the wall clock is set
  kDisk,      // the buffer's disk is full, or fails, for some writes
  kKill,      // the agent ends as by kill -9, and starts again
  kPowerCut,  // ... and of the logs only what was synced is sure to be left
  kStop,      // the agent stops in order, and starts again, with another config
  kReplay,    // dead letters are delivered again
  kCount_,
};

struct Op {
  Step step = Step::kIntake;
  std::uint32_t a = 0, b = 0;  // what the step makes of them; any number is fine
};

// What stays the same in all lives of the device.
struct Setup {
  std::uint64_t seed = 0;
  unsigned sources = 1;       // 1 or 2
  bool bucket = true;         // s3
  bool directory = false;     // ...
  bool index = false;         // elasticsearch
  bool collector = false;     // splunk, with acknowledgements
  unsigned hosts = 1;         // of each of these two
  bool balanced = false;      // one name stands for all of the collector's: each request meets any
  bool in_parts = false;      // objects go up in parts
  unsigned compression = 0;   // of objects: none, zstd, gzip
  unsigned policy = 0;        // when_full: block, drop_oldest, drop_newest
  bool small_buffer = false;  // it fills
  bool encrypted = false;     // the buffer is
  bool apart = false;         // a child process checks it, as in the field; it takes its time
};

struct Plan {
  Setup setup;
  std::vector<Op> ops;
};

Plan plan_of(std::uint64_t seed, unsigned steps);
// A line for each step, for a person.
std::string to_text(const Plan& plan);
std::string to_text(const Op& op);

}  // namespace edgehose::sim
