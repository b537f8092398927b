// Running rates of the buffer for the status: how fast it fills, what is written for it.
//
// Threading: one thread. Fed with a sample now and then (every few seconds; any interval is right).
#pragma once

#include <optional>

#include "agent/base/types.h"
#include "agent/run/status_report.h"
#include "buffer/device.h"

namespace edgehose {

// Bytes written, each none where the kernel does not tell.
struct Written {
  // By this process (/proc/self/io, write_bytes): the buffer's pages and what directory sinks
  // write, on whatever disk, without the file system's journal.
  std::optional<std::uint64_t> process;
  // To the disk below the buffer, by every program, journals included.
  std::optional<std::uint64_t> device;
};
Written bytes_written_by_now(const Device& device);

class BufferMeter {
 public:
  // `written`: bytes_written_by_now() at that moment.
  void sample(Instant now, const StoreUsage& usage, const Written& written);
  BufferRates rates() const;

 private:
  struct Sample {
    Instant at;
    StoreUsage usage;
    Written written;
  };
  std::optional<Sample> first_, last_;
  double growth_ = 0.0;         // bytes of the buffer a second, exponentially weighted
  double growth_weight_ = 0.0;  // of the samples in it; grows to 1
};

}  // namespace edgehose
