#include "agent/run/log_lines.h"

#include <fmt/format.h>

#include "agent/base/text.h"

namespace edgehose {

std::vector<std::string> start_lines(const StartFigures& f) {
  return {fmt::format("edgehose {} starts: agent {}, {}, {}, data in {}", f.version, f.agent,
                      format_count(f.sources, "source"), format_count(f.sinks, "sink"), f.data_dir),
          fmt::format("buffer: {} of {} used, profile {}: records wait {} at most for their commit",
                      format_size(f.used), format_size(f.limit), f.profile,
                      format_duration(f.commit_limit))};
}

std::string hour_line(const HourFigures& f, Duration uptime) {
  return fmt::format("up {}: {} read, {} behind, {} delivered, {}; buffer {} of {}",
                     format_duration(std::chrono::duration_cast<std::chrono::minutes>(uptime)),
                     format_count(f.records, "record"), format_size(f.behind),
                     format_count(f.batches, "batch", "batches"),
                     format_count(f.retries, "retry", "retries"), format_size(f.used),
                     format_size(f.limit));
}

}  // namespace edgehose
