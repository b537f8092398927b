#include "buffer/lock_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace

Result<FileDescriptor> take_lock(const std::string& path) {
  EH_ASSIGN(FileDescriptor fd, open_file(path, O_RDWR | O_CREAT, 0640));
  if (!locked(fd.get())) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("locking {}", path));
    std::string pid = read_file(path, 64).value_or("");
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return fail(ErrorCode::kBusy,
                "{} is in use by process {}: stop that one first, or give this one "
                "a data_dir of its own",
                parent_directory(path), pid.empty() ? "unknown" : pid);
  }
  if (::ftruncate(fd.get(), 0) != 0) return fail_errno(errno, fmt::format("writing {}", path));
  EH_TRY(write_all(fd.get(), fmt::format("{}\n", ::getpid()), path));
  return fd;
}

}  // namespace edgehose
