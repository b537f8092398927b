#include "sinks/delivery/backoff.h"

#include <algorithm>

namespace edgehose {
namespace {

Duration doubled(Duration from, std::uint64_t times, Duration limit) {
  Duration d = from;
  for (; times > 0 && d < limit; --times) d = d > limit / 2 ? limit : d * 2;
  return std::min(d, limit);
}

}  // namespace

Duration backoff_ceiling(const RetryConfig& config, std::uint64_t failures) {
  return doubled(config.initial, failures > 0 ? failures - 1 : 0, config.max);
}

Duration full_jitter(Duration ceiling, Random& random) {
  if (ceiling <= Duration::zero()) return Duration::zero();
  return Duration(std::uniform_int_distribution<std::int64_t>(0, ceiling.count())(random));
}

Duration obey(Duration server_wish, Duration spread, Random& random) {
  return std::clamp(server_wish, Duration::zero(), kLongestServerWish) +
         full_jitter(spread, random);
}

Duration probe_interval(std::uint64_t probes, Random& random) {
  const Duration longest = doubled(kProbeInitial, probes, kProbeMax);
  return longest / 2 + full_jitter(longest / 2, random);
}

}  // namespace edgehose
