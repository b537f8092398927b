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

// A first block and its pages, beside the reserve.
constexpr std::uint64_t kFirstBlock = 256 << 10;

// A buffer that holds nothing gets its reserve first, a quarter of its limit at most, from below
// the floor, too; half of it may take records then. Where the reserve does not fit all of it is
// missing.
bool stores_nothing(const DiskUse& use) {
  if (use.holds_records) return false;
  const std::uint64_t reserve = disk_reserve(StoreOptions{}.reserve, use.limit);
  const auto owned = static_cast<std::uint64_t>(std::max<std::int64_t>(use.disk.owned, 0));
  if (owned + use.disk.free >= reserve + kFirstBlock) return false;
  return use.disk.owned + use.disk.above_floor <= static_cast<std::int64_t>(reserve);
}

}  // namespace

// The agent keeps to the floor whatever max_size says, so a disk that is too small for the worst
// case can be lived with; one that takes no record cannot.
void tell_disk(const Config& config, const DiskUse& use, Findings& findings) {
  const std::string& place = config.agent.data_dir;
  const DiskRoom& disk = use.disk;
  if (disk.free == 0 && disk.owned == 0)
    return findings.errors.push_back(fmt::format(
        "data_dir {}: its file system has not a byte free: no buffer can be made there; free some "
        "of it, or put agent.data_dir elsewhere",
        place));
  if (stores_nothing(use))
    return findings.errors.push_back(fmt::format(
        "data_dir {}: its file system has {} free, and a buffer of {} (buffer.max_size) keeps {} "
        "in reserve: nothing could be stored; free some of it, put agent.data_dir elsewhere, or "
        "lower buffer.max_size",
        place, format_size(disk.free), format_size(use.limit),
        format_size(disk_reserve(StoreOptions{}.reserve, use.limit))));
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
