// A directory that turns read-only and back under open files, as a failing disk does (ext4 after an
// error): Linux refuses an ordinary remount while a file is open for writing. Preloaded:
//
//   LD_PRELOAD=libread_only_disk.so READ_ONLY_DIRECTORY=/data READ_ONLY_SWITCH=/tmp/on edgehose run
//
// While the switch exists, whatever writes below the directory fails with EROFS. Reading goes on.
#undef _FILE_OFFSET_BITS  // both names of a call are replaced
#undef _TIME_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

bool refused(const char* path) {
  const char* directory = std::getenv("READ_ONLY_DIRECTORY");
  const char* on = std::getenv("READ_ONLY_SWITCH");
  if (directory == nullptr || on == nullptr) return false;
  const std::size_t length = std::strlen(directory);
  if (std::strncmp(path, directory, length) != 0 || ::access(on, F_OK) != 0) return false;
  errno = EROFS;
  return true;
}

bool refused(int fd) {
  char name[64], path[PATH_MAX];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const ssize_t n = ::readlink(name, path, sizeof path - 1);
  if (n <= 0) return false;
  path[n] = '\0';
  return refused(path);
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

int open_as(const char* name, const char* path, int flags, mode_t mode) {
  const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
  if (writes && refused(path)) return -1;
  return real<int (*)(const char*, int, ...)>(name)(path, flags, mode);
}

}  // namespace

#define WRITES(result, name, parameters, arguments, subject) \
  extern "C" result name parameters {                        \
    if (refused(subject)) return -1;                         \
    return real<result(*) parameters>(#name) arguments;      \
  }

WRITES(ssize_t, write, (int fd, const void* b, size_t n), (fd, b, n), fd)
WRITES(ssize_t, writev, (int fd, const iovec* v, int n), (fd, v, n), fd)
WRITES(ssize_t, pwrite, (int fd, const void* b, size_t n, off_t at), (fd, b, n, at), fd)
WRITES(ssize_t, pwrite64, (int fd, const void* b, size_t n, off64_t at), (fd, b, n, at), fd)
WRITES(ssize_t, pwritev, (int fd, const iovec* v, int n, off_t at), (fd, v, n, at), fd)
WRITES(ssize_t, pwritev64, (int fd, const iovec* v, int n, off64_t at), (fd, v, n, at), fd)
WRITES(int, fdatasync, (int fd), (fd), fd)
WRITES(int, fsync, (int fd), (fd), fd)
WRITES(int, ftruncate, (int fd, off_t n) noexcept, (fd, n), fd)
WRITES(int, ftruncate64, (int fd, off64_t n) noexcept, (fd, n), fd)
WRITES(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), fd)
WRITES(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n), fd)
WRITES(int, unlink, (const char* path) noexcept, (path), path)
WRITES(int, rename, (const char* from, const char* to) noexcept, (from, to), to)
WRITES(int, mkdir, (const char* path, mode_t mode) noexcept, (path, mode), path)

extern "C" int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = static_cast<mode_t>(va_arg(more, int));
  va_end(more);
  return open_as("open", path, flags, mode);
}

extern "C" int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = static_cast<mode_t>(va_arg(more, int));
  va_end(more);
  return open_as("open64", path, flags, mode);
}
