#include "buffer/disk_room.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/file.h"
#include "buffer/device.h"

namespace edgehose {
namespace {

constexpr std::size_t kExtentsAtOnce = 64;

// What the kernel fills in: a header, and behind it the extents.
struct ExtentMap {
  alignas(struct fiemap)
      std::array<char, sizeof(struct fiemap) + kExtentsAtOnce * sizeof(struct fiemap_extent)> bytes;
  struct fiemap* head() {
    return reinterpret_cast<struct fiemap*>(bytes.data());
  }
  struct fiemap_extent extent(std::size_t i) const {
    struct fiemap_extent e;
    std::memcpy(&e, bytes.data() + sizeof(struct fiemap) + i * sizeof e, sizeof e);
    return e;
  }
};

// Where the file system does not list a file's blocks, what it has more of them than bytes lies
// right behind its end: that is where they are set aside. Of a file with holes it looks like less.
std::uint64_t beyond_end(int fd, std::uint64_t offset, std::uint64_t end) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return 0;
  const auto size = static_cast<std::uint64_t>(st.st_size);
  const auto blocks = static_cast<std::uint64_t>(st.st_blocks) * 512;
  const std::uint64_t held = std::max(size, blocks);
  return end > held ? end - std::max(offset, held) : 0;
}

}  // namespace

std::optional<DiskRoom> disk_room(const std::string& directory, std::uint64_t allocated,
                                  std::uint64_t used, unsigned free_disk_percent) {
  const auto disk = disk_space(directory);
  if (!disk || disk->size == 0) return std::nullopt;
  DiskRoom room;
  room.free = disk->free;
  room.floor = disk->size / 100 * free_disk_percent;
  room.owned = static_cast<std::int64_t>(allocated) - static_cast<std::int64_t>(used);
  room.above_floor = static_cast<std::int64_t>(room.free > room.floor ? room.free - room.floor : 0);
  return room;
}

std::uint64_t unallocated_bytes(int fd, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  std::uint64_t missing = 0;
  for (std::uint64_t at = offset; at < end;) {
    ExtentMap map;
    std::memset(map.bytes.data(), 0, map.bytes.size());
    map.head()->fm_start = at;
    map.head()->fm_length = end - at;
    map.head()->fm_extent_count = kExtentsAtOnce;
    if (::ioctl(fd, FS_IOC_FIEMAP, map.bytes.data()) != 0) return beyond_end(fd, offset, end);
    const std::size_t count = map.head()->fm_mapped_extents;
    for (std::size_t i = 0; i < count; ++i) {
      const struct fiemap_extent extent = map.extent(i);
      const std::uint64_t from = std::min<std::uint64_t>(extent.fe_logical, end);
      const std::uint64_t to = std::min<std::uint64_t>(extent.fe_logical + extent.fe_length, end);
      if (from > at) missing += from - at;
      at = std::max(at, to);
    }
    if (count < kExtentsAtOnce) return missing + (end - at);
  }
  return missing;
}

std::uint64_t affordable_length(int fd, std::uint64_t offset, std::uint64_t length,
                                std::uint64_t spare) {
  // What is missing may lie anywhere, so what is cut off may hold less of it than it should.
  for (std::uint64_t missing; (missing = unallocated_bytes(fd, offset, length)) > spare;)
    length -= missing - spare;
  return length;
}

Status set_aside(int fd, std::uint64_t offset, std::uint64_t length) {
  int done = 0;
  do {
    done = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (done != 0 && errno == EINTR);
  if (done == 0) return {};
  return fail_errno(errno, "setting disk blocks aside for the buffer");
}

bool has_no_room(const std::string& directory, std::uint64_t bytes) {
  // A file without a name: what it is given goes with it.
  const auto file = open_file(directory, O_TMPFILE | O_WRONLY);
  const Status given = file ? set_aside(file->get(), 0, bytes) : tl::unexpected(file.error());
  if (given) return false;
  if (given.error().code == ErrorCode::kFull) return true;
  const auto disk = disk_space(directory);
  return disk && disk->free < bytes;
}

}  // namespace edgehose
