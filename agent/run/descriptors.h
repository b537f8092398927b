// The process's file descriptors: how many there may be, what is kept for the buffer, the control
// socket and the sinks, and what is left for the files of all sources together.
//
// Threading: raise_descriptor_limit() is for the start, before threads; the rest is pure.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/base/result.h"
#include "agent/config/agent_config.h"

namespace edgehose {

// The limit is raised to this where the hard one allows it: 3 sources of the most files, or 200 of
// the default.
constexpr std::uint64_t kMostDescriptors = 16'384;

// The process's RLIMIT_NOFILE from now on; the soft one is raised, never lowered.
std::uint64_t raise_descriptor_limit();
// What the former would come to for a process with these limits.
std::uint64_t descriptor_limit(std::uint64_t soft, std::uint64_t hard);

struct DescriptorPlan {
  std::uint64_t limit = 0;
  std::uint64_t reserved = 0;             // for all but sources
  std::uint64_t wanted = 0;               // by the whole config
  std::vector<std::uint64_t> asked;       // max_open_files, by source
  std::vector<std::uint64_t> open_files;  // what comes of it, from what `reserved` leaves
  bool reduced() const { return open_files != asked; }
  // What is reduced, and what to do.
  std::string text() const;
};

// kInvalid: the config does not fit.
Result<DescriptorPlan> plan_descriptors(const Config& config, std::uint64_t limit);

}  // namespace edgehose
