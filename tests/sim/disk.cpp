#include "tests/sim/disk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

namespace edgehose::sim::disk {
namespace {

using FileKey = std::pair<dev_t, ino_t>;

struct State {
  std::string directory;
  Fault fault = Fault::kIo;
  unsigned failing = 0;                   // calls that fail yet
  std::map<FileKey, std::uint64_t> safe;  // bytes
};
State& state() {
  static State the_state;
  return the_state;
}

bool is_below(int fd, const std::string& directory) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size() - 1);
  return length > 0 && std::string_view(path.data(), static_cast<std::size_t>(length))
                           .starts_with(directory + "/");
}

FileKey key_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

// Whether this call is one of those that fail; with errno set.
bool fails(int fd) {
  State& s = state();
  if (s.failing == 0 || !is_below(fd, s.directory)) return false;
  --s.failing;
  errno = s.fault == Fault::kFull ? ENOSPC : EIO;
  return true;
}

int synced(int fd) {
  if (fails(fd)) return -1;
  struct stat info {};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
    state().safe[key_of(info)] = static_cast<std::uint64_t>(info.st_size);
  return 0;
}

}  // namespace

void begin(const std::string& directory) {
  state() = State{};
  state().directory = directory;
}

void arm(Fault fault, unsigned calls) {
  state().fault = fault;
  state().failing = calls;
}

void disarm() { state().failing = 0; }

std::uint64_t synced_size(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  const auto found = state().safe.find(key_of(info));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  return found == state().safe.end() ? 0 : std::min(found->second, size);
}

void all_is_safe(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0)
    state().safe[key_of(info)] = static_cast<std::uint64_t>(info.st_size);
}

void forget_beyond(const std::string& path, std::uint64_t size) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;
  auto& safe = state().safe[key_of(info)];
  safe = std::min(safe, size);
}

}  // namespace edgehose::sim::disk

// In the place of the C library's, for this program and the libraries that it is linked with. By
// their names in the object files: headers give some of them others, for files beyond 2 GB.
extern "C" {

int sim_fdatasync(int fd) __asm__("fdatasync");
int sim_fsync(int fd) __asm__("fsync");
ssize_t sim_write(int fd, const void* data, size_t size) __asm__("write");
ssize_t sim_pwrite(int fd, const void* data, size_t size, off_t offset) __asm__("pwrite");
ssize_t sim_pwrite64(int fd, const void* data, size_t size, off_t offset) __asm__("pwrite64");
ssize_t sim_pwritev(int fd, const iovec* parts, int count, off_t offset) __asm__("pwritev");
ssize_t sim_pwritev64(int fd, const iovec* parts, int count, off_t offset) __asm__("pwritev64");

int sim_statfs(const char* path, struct statfs* info) __asm__("statfs");
int sim_statfs64(const char* path, struct statfs* info) __asm__("statfs64");
int sim_fstatfs(int fd, struct statfs* info) __asm__("fstatfs");
int sim_fstatfs64(int fd, struct statfs* info) __asm__("fstatfs64");

// It is a disk, though it lies in memory: what is read of it is to be synced.
static int as_disk(long result, struct statfs* info) {
  if (result == 0 && info->f_type == TMPFS_MAGIC) info->f_type = EXT4_SUPER_MAGIC;
  return static_cast<int>(result);
}
int sim_statfs(const char* path, struct statfs* info) {
  return as_disk(::syscall(SYS_statfs, path, info), info);
}
int sim_statfs64(const char* path, struct statfs* info) { return sim_statfs(path, info); }
int sim_fstatfs(int fd, struct statfs* info) {
  return as_disk(::syscall(SYS_fstatfs, fd, info), info);
}
int sim_fstatfs64(int fd, struct statfs* info) { return sim_fstatfs(fd, info); }
int sim_fdatasync(int fd) { return edgehose::sim::disk::synced(fd); }
int sim_fsync(int fd) { return edgehose::sim::disk::synced(fd); }
ssize_t sim_write(int fd, const void* data, size_t size) {
  if (edgehose::sim::disk::fails(fd)) return -1;
  return ::syscall(SYS_write, fd, data, size);
}
ssize_t sim_pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (edgehose::sim::disk::fails(fd)) return -1;
  return ::syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t sim_pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return sim_pwrite(fd, data, size, offset);
}
ssize_t sim_pwritev(int fd, const iovec* parts, int count, off_t offset) {
  if (edgehose::sim::disk::fails(fd)) return -1;
  return ::syscall(SYS_pwritev, fd, parts, count, offset, 0L);
}
ssize_t sim_pwritev64(int fd, const iovec* parts, int count, off_t offset) {
  return sim_pwritev(fd, parts, count, offset);
}

}  // extern "C"
