#include "agent/commands/demo_place.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "buffer/device.h"

namespace edgehose {
namespace {

// Of the memory that nobody uses, what files in memory may take: the two processes need some too.
constexpr std::uint64_t kShareOfFreeMemory = 3;
// The agent's socket lies in it: the path of a socket has 107 bytes.
constexpr std::size_t kLongestPath = 90;

std::vector<std::string> candidates() {
  const char* const wanted = std::getenv("TMPDIR");
  if (wanted != nullptr && *wanted != '\0') return {wanted};
  return {"/var/tmp", "/tmp"};
}

// Without the cache, which could be given up: a careful answer, and one that needs no /proc.
std::uint64_t free_memory() {
  struct sysinfo info {};
  if (::sysinfo(&info) != 0) return 0;
  return static_cast<std::uint64_t>(info.freeram) * info.mem_unit;
}

}  // namespace

Result<DemoPlace> DemoPlace::make() {
  int error = ENOENT;
  std::string tried;
  for (const std::string& parent : candidates()) {
    std::error_code ignored;
    std::string path =
        std::filesystem::absolute(parent, ignored).string() + "/edgehose-demo.XXXXXX";
    tried += (tried.empty() ? "" : ", ") + parent;
    if (path.size() > kLongestPath)
      return fail(ErrorCode::kInvalid,
                  "the path of {} is too long for the agent's socket: TMPDIR=DIRECTORY says where "
                  "else to work",
                  parent);
    if (::mkdtemp(path.data()) == nullptr) {
      error = errno;
      continue;
    }
    DemoPlace place;
    place.path_ = std::move(path);
    EH_ASSIGN(const DiskSpace disk, disk_space(place.path_));
    EH_ASSIGN(place.in_memory_, is_volatile(place.path_));
    place.room_ = disk.free;
    if (place.in_memory_) place.room_ = std::min(place.room_, free_memory() / kShareOfFreeMemory);
    return place;
  }
  return tl::unexpected(errno_error(
      error,
      fmt::format("making a directory in {} (TMPDIR=DIRECTORY says where else to work)", tried)));
}

DemoPlace::DemoPlace(DemoPlace&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      room_(other.room_),
      in_memory_(other.in_memory_),
      kept_(other.kept_) {}

DemoPlace::~DemoPlace() {
  std::error_code ignored;
  if (!path_.empty() && !kept_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace edgehose
