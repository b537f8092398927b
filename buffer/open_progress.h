// OpenProgress: how far the opening of a Store has come. A large, a damaged or a slow one takes
// minutes, and whoever waits wants to know that it goes on.
//
// Threading: written by the thread that opens, read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "agent/base/text.h"

namespace edgehose {

class OpenProgress {
 public:
  // `doing`: a literal, in words: "checking the buffer". `total` bytes, 0 where nobody knows.
  void begin(const char* doing, std::uint64_t total = 0) {
    doing_ = doing;
    total_ = total;
    done_ = 0;
    ++moves_;
  }
  void advance(std::uint64_t done) {
    done_ = done;
    ++moves_;
  }

  // Differs whenever it went on.
  std::uint64_t moves() const { return moves_; }
  // "searching the damaged buffer for records, 12 MiB of 40 MiB"
  std::string words() const {
    const std::uint64_t done = done_, total = total_;
    std::string text = doing_.load();
    if (done > 0) text += ", " + format_size(done);
    if (done > 0 && total >= done) text += " of " + format_size(total);
    return text;
  }

 private:
  std::atomic<const char*> doing_{"opening the buffer"};
  std::atomic<std::uint64_t> done_{0}, total_{0}, moves_{0};
};

}  // namespace edgehose
