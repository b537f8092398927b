#include "buffer/lock_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace edgehose {

namespace {

constexpr int kTries = 40;
constexpr int kPauseMs = 50;

// A bounded number of tries rather than a time: nothing here depends on a clock.
bool locked(int fd) {
  for (int tries = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK || tries == kTries) return false;
    ::poll(nullptr, 0, kPauseMs);
    errno = EWOULDBLOCK;
  }
  return true;
}

// Who holds the lock of an open file, as the kernel tells it; empty: it does not.
std::string holder_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return {};
  const std::string inode = fmt::format(":{}", st.st_ino);
  std::ifstream locks("/proc/locks");
  // "1: FLOCK  ADVISORY  WRITE 123 fe:00:4711 0 EOF"
  for (std::string number, kind, mode, access, pid, file, range; locks >> number >> kind;) {
    if (kind == "->") locks >> kind;  // one that waits
    locks >> mode >> access >> pid >> file;
    std::getline(locks, range);
    if (kind == "FLOCK" && file.ends_with(inode)) return pid;
  }
  return {};
}

tl::unexpected<Error> busy(const std::string& directory, const std::string& pid) {
  return fail(ErrorCode::kBusy,
              "{} is in use by process {}: stop that one first, or give this one "
              "a data_dir of its own",
              directory, pid.empty() ? "unknown" : pid);
}

// For a message only, so where it cannot be written the lock is held all the same. In place: once
// the file was truncated, a full disk may have no room for it any more.
void leave_pid(int fd) {
  const std::string pid = fmt::format("{}\n", ::getpid());
  const ssize_t written = ::pwrite(fd, pid.data(), pid.size(), 0);
  if (::ftruncate(fd, written < 0 ? 0 : written) != 0) return;
}

}  // namespace

Result<FileDescriptor> lock_directory(const std::string& path) {
  EH_ASSIGN(FileDescriptor fd, open_file(path, O_RDONLY | O_DIRECTORY));
  if (locked(fd.get())) return fd;
  if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("locking {}", path));
  return busy(path, holder_of(fd.get()));
}

Result<FileDescriptor> take_lock(const std::string& path) {
  EH_ASSIGN(FileDescriptor fd, open_file(path, O_RDWR | O_CREAT, 0640));
  if (!locked(fd.get())) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("locking {}", path));
    std::string pid = read_file(path, 64).value_or("");
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return busy(parent_directory(path), pid.empty() ? holder_of(fd.get()) : pid);
  }
  leave_pid(fd.get());
  return fd;
}

}  // namespace edgehose
