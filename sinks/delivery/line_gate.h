// LineGate: at most one log line a minute of one kind; the next one says how many it stands for.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "agent/base/types.h"

namespace edgehose {

class LineGate {
 public:
  static constexpr Duration kEvery = std::chrono::minutes(1);

  // One more of that kind. None: be silent; else how many there were since the last line, with it.
  std::optional<std::uint64_t> pass(Instant now) {
    ++since_last_;
    if (now < next_) return std::nullopt;
    next_ = now + kEvery;
    const std::uint64_t count = since_last_;
    since_last_ = 0;
    return count;
  }

 private:
  Instant next_{};
  std::uint64_t since_last_ = 0;
};

}  // namespace edgehose
