#include "agent/base/text.h"
#include "agent/commands/check_report.h"

namespace edgehose {
namespace {

std::string_view meanwhile(WhenFull policy) {
  return policy == WhenFull::kBlock ? "reading stops" : "records are dropped";
}

// Below the floor a buffer goes on in the blocks of its file, a new one in its reserve.
std::string still_taken(std::int64_t owned) {
  return owned > 0 ? fmt::format("what the buffer has of it already ({}) is all that takes records",
                                 format_size(static_cast<std::uint64_t>(owned)))
                   : "a new buffer has little more than its reserve";
}

}  // namespace

// The agent keeps to the floor whatever max_size says, so a disk that is too small for the worst
// case can be lived with; one without a free byte takes no new buffer.
void tell_disk(const Config& config, const DiskUse& use, Findings& findings) {
  const std::string& place = config.agent.data_dir;
  const DiskRoom& disk = use.disk;
  if (disk.free == 0 && disk.owned == 0)
    return findings.errors.push_back(fmt::format(
        "data_dir {}: its file system has not a byte free: no buffer can be made there; free some "
        "of it, or put agent.data_dir elsewhere",
        place));
  const std::string kept_free =
      fmt::format("{} ({} %, buffer.free_disk_percent) stay free", format_size(disk.floor),
                  config.buffer.free_disk_percent);
  if (disk.free < disk.floor)
    return findings.warnings.push_back(fmt::format(
        "data_dir {}: its file system has {} free, and {}: {}, then {} until there is more", place,
        format_size(disk.free), kept_free, still_taken(disk.owned),
        meanwhile(config.buffer.when_full)));
  const auto room = static_cast<std::uint64_t>(disk.owned + disk.above_floor);
  if (use.worst <= room) return;
  findings.warnings.push_back(fmt::format(
      "data_dir {}: at worst it takes {}, and its file system has room for {} of that: {}; {} "
      "before the buffer is at its limit of {}: make room, or lower buffer.max_size",
      place, format_size(use.worst), format_size(room), kept_free,
      meanwhile(config.buffer.when_full), format_size(use.limit)));
}

}  // namespace edgehose
