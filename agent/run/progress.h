// Progress of `run --once`: how far it came, and how that looks.
//
// A terminal gets one line that is rewritten: a bar, the rate and the time left. Anything else gets
// a plain line every few seconds. What counts as done is what its sinks acknowledged, so the bar is
// full when the command may end and not before.
//
// Threading: the renderers are pure; a ProgressPrinter belongs to one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "agent/base/types.h"

namespace edgehose {

struct Progress {
  std::uint64_t bytes_total = 0;  // there when the run began, grows where the sources grow
  std::uint64_t bytes_read = 0;
  std::uint64_t records = 0;      // read, by the slowest sink's count
  std::uint64_t delivered = 0;    // of them, acknowledged (or given up, counted) by every sink
  Instant started;
};

// The bytes that are done with: bytes read, in the proportion of the records acknowledged.
std::uint64_t bytes_done(const Progress& progress);

// "[######------]  52 %  104 MiB of 200 MiB  48.1 MiB/s  2 s left", `width` columns at most.
std::string progress_bar(const Progress& progress, Instant now, unsigned width = 79);
// "read 104 MiB of 200 MiB (1,234 records), delivered 640 records, 52 %, 48.1 MiB/s, 2 s left"
std::string progress_line(const Progress& progress, Instant now);

class ProgressPrinter {
 public:
  ProgressPrinter(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}
  // Prints where the last print is long enough ago: a tenth of a second on a terminal, else 5 s.
  void update(const Progress& progress, Instant now);
  // The last state, and on a terminal the end of its line.
  void finish(const Progress& progress, Instant now);

 private:
  void print(const Progress& progress, Instant now);

  std::FILE* out_;
  bool terminal_;
  Instant next_{};
};

}  // namespace edgehose
