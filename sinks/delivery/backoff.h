// Backoff: how long to wait after failures in a row. Full jitter: uniformly between nothing and a
// ceiling that doubles from RetryConfig::initial to RetryConfig::max and stays there, so that a
// thousand agents that failed together do not return together. Probes of a parked sink are slower.
//
// Pure: no clock, the random generator is the caller's.
#pragma once

#include <cstdint>
#include <random>

#include "agent/base/types.h"
#include "sinks/delivery/batch_config.h"

namespace edgehose {

using Random = std::mt19937_64;

constexpr Duration kProbeInitial = std::chrono::seconds(60);
constexpr Duration kProbeMax = std::chrono::minutes(5);
constexpr Duration kLongestServerWish = std::chrono::hours(1);  // more is not believed

// The ceiling after `failures` (from 1) in a row.
Duration backoff_ceiling(const RetryConfig& config, std::uint64_t failures);

// Uniform in [0, ceiling].
Duration full_jitter(Duration ceiling, Random& random);

// What a server asked for, never less (up to kLongestServerWish), and up to `spread` more.
Duration obey(Duration server_wish, Duration spread, Random& random);

// Until the next probe of a sink that has been parked for `probes` probes: up to 60 s, 120 s, ...
// 5 min, and at least half of it: those that one server parked together do not probe together.
Duration probe_interval(std::uint64_t probes, Random& random);

}  // namespace edgehose
