// Running rates of the buffer for the status: how fast it fills, what the process writes.
//
// Threading: one thread. Fed with a sample now and then (every few seconds; any interval is right).
#pragma once

#include <optional>

#include "agent/base/types.h"
#include "agent/run/status_report.h"

namespace edgehose {

// Bytes that this process caused to be written to block devices (/proc/self/io, write_bytes): the
// buffer's pages and what directory sinks write, without the file system's journal. None where the
// kernel does not tell.
std::optional<std::uint64_t> device_bytes_written();

class BufferMeter {
 public:
  // `written`: device_bytes_written() at that moment.
  void sample(Instant now, const StoreUsage& usage, std::optional<std::uint64_t> written);
  BufferRates rates() const;

 private:
  struct Sample {
    Instant at;
    StoreUsage usage;
    std::optional<std::uint64_t> written;
  };
  std::optional<Sample> first_, last_;
  double growth_ = 0.0;         // bytes of the buffer a second, exponentially weighted
  double growth_weight_ = 0.0;  // of the samples in it; grows to 1
};

}  // namespace edgehose
