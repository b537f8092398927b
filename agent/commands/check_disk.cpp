#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/check_report.h"

namespace edgehose {
namespace {

std::string_view meanwhile(WhenFull policy) {
  return policy == WhenFull::kBlock ? "reading stops" : "records are dropped";
}

}  // namespace

// The agent keeps to the floor whatever max_size says, so a disk that is too small for the worst
// case can be lived with; one without a free byte takes no record.
void tell_disk(const Config& config, const DiskUse& use, Findings& findings) {
  if (use.size == 0) return;  // a file system that does not tell
  const std::string& place = config.agent.data_dir;
  if (use.free == 0)
    return findings.errors.push_back(fmt::format(
        "data_dir {}: its file system of {} has not a byte free: nothing can be kept there; free "
        "some of it, or put agent.data_dir elsewhere",
        place, format_size(use.size)));
  const std::uint64_t floor = use.size / 100 * config.buffer.free_disk_percent;
  const std::string kept_free =
      fmt::format("{} % of its {} ({}) stay free (buffer.free_disk_percent)",
                  config.buffer.free_disk_percent, format_size(use.size), format_size(floor));
  if (use.free < floor)
    return findings.warnings.push_back(
        fmt::format("data_dir {}: its file system has {} free, and {}: {} until there is more",
                    place, format_size(use.free), kept_free, meanwhile(config.buffer.when_full)));
  const std::uint64_t room = use.free + use.allocated - floor;
  if (use.worst <= room) return;
  findings.warnings.push_back(fmt::format(
      "data_dir {}: at worst it takes {}, and its file system has room for {} of that: {}; {} "
      "before the buffer is at its limit of {}: make room, or lower buffer.max_size",
      place, format_size(use.worst), format_size(room), kept_free,
      meanwhile(config.buffer.when_full), format_size(use.limit)));
}

}  // namespace edgehose
