// How many lines the log takes in a minute. Lines of two kinds have half of them each, so that a
// flood of the ordinary ones never swallows what must be told: errors, changes of state, an ending.
//
// Threading: one thread at a time. No clock of its own.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace edgehose::log {

class LineBound {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Kind : std::size_t { kOrdinary, kEvent };

  // `most`: lines in a minute, of both kinds together.
  LineBound(int most, Time now) : each_(most / 2), minute_(now) {}

  // Lines that were left out before the present minute and not told yet.
  int begin_minute(Time now) {
    if (now - minute_ < std::chrono::minutes(1)) return 0;
    minute_ = now;
    lines_ = {};
    return left_out();
  }
  // Whether there is room for one more in this minute.
  bool take(Kind kind) {
    if (++lines_[static_cast<std::size_t>(kind)] <= each_) return true;
    ++left_out_;
    return false;
  }
  // Those that were not told yet, for one who tells them now.
  int left_out() { return std::exchange(left_out_, 0); }

 private:
  const int each_;
  Time minute_;
  std::array<int, 2> lines_{};
  int left_out_ = 0;
};

}  // namespace edgehose::log
