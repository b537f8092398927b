// Progress of `run --once`: how far it came, and how that looks.
//
// A terminal gets one line that is rewritten: a bar, the rate and the time left. Anything else gets
// a plain line every few seconds. What counts as done is what every sink acknowledged, or gave up
// and counted, so the bar is full when the command may end and not before.
//
// Threading: the renderers are pure; a ProgressPrinter belongs to one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "agent/base/types.h"

namespace edgehose {

struct Progress {
  std::uint64_t bytes_total = 0;  // there when the run began, grows where the sources grow
  std::uint64_t bytes_read = 0;
  // Records: what this run read and what a sink still waited for when it began.
  std::uint64_t records = 0;
  std::uint64_t earlier = 0;    // of them, read by earlier runs
  std::uint64_t waiting = 0;    // of them, not done with: a sink waits for them
  std::uint64_t delivered = 0;  // of them, acknowledged by every sink; the rest was given up
  Instant started;

  bool operator==(const Progress&) const = default;
};

// The bytes that are done with: bytes read, in the proportion of the records that nobody waits for.
std::uint64_t bytes_done(const Progress& progress);

// "[######------]  52 %  104 MiB of 200 MiB  48.1 MiB/s  2 s left", `width` columns at most.
std::string progress_bar(const Progress& progress, Instant now, unsigned width = 79);
// "read 104 MiB of 200 MiB (1,234 records), delivered 640 records, 52 %, 48.1 MiB/s, 2 s left";
// "(1,234 records and 100 of earlier runs)"; "delivered 640 records, gave up 10"
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
  bool told(const Progress& progress) const;

  std::FILE* out_;
  bool terminal_;
  Instant next_{};
  std::optional<Progress> last_;
};

}  // namespace edgehose
