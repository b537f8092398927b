// What the disk below the buffer leaves to it, and the blocks of it that are kept in reserve.
//
// Threading: pure functions of the file system; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/result.h"

namespace edgehose {

// All in bytes.
struct DiskRoom {
  std::int64_t owned = 0;        // blocks of the file that hold nothing: in it, and beyond its end
  std::int64_t above_floor = 0;  // free on the disk, beyond what is left to others
  std::uint64_t free = 0;
  std::uint64_t floor = 0;  // what is left to others

  // What may be taken in, that `reserve` stays. Below the floor, half of it, so that a slow intake
  // goes on; the other half is for what must always find room.
  std::int64_t room(std::int64_t reserve) const {
    return std::max(owned + above_floor - reserve, owned - reserve / 2);
  }
};

// What of `wanted` a buffer of this limit keeps in reserve, bytes.
constexpr std::uint64_t disk_reserve(std::uint64_t wanted, std::uint64_t limit) {
  return std::min(wanted, limit / 4);
}

// `allocated`: the file's blocks; `used`: of them, what holds something. None where the file system
// does not tell.
std::optional<DiskRoom> disk_room(const std::string& directory, std::uint64_t allocated,
                                  std::uint64_t used, unsigned free_disk_percent);

// Of [offset, offset + length), what writing it would take from the disk: holes, and what lies
// beyond the file's end. Blocks that are set aside belong to the file. Where the file system does
// not list a file's blocks, holes count as held, and what is set aside as lying at the end.
std::uint64_t unallocated_bytes(int fd, std::uint64_t offset, std::uint64_t length);

// The longest beginning of [offset, offset + length) that writing takes `spare` bytes of the disk
// for at most.
std::uint64_t affordable_length(int fd, std::uint64_t offset, std::uint64_t length,
                                std::uint64_t spare);

// Gives the file blocks for [offset, offset + length) that it has none for; its size stays. kFull
// where there are none; kUnsupported where the file system cannot.
Status set_aside(int fd, std::uint64_t offset, std::uint64_t length);

// Whether so many bytes more would be refused in `directory`: the disk is full, or a quota used up.
bool has_no_room(const std::string& directory, std::uint64_t bytes);

}  // namespace edgehose
