// record_writes: an LD_PRELOAD library that notes every change a process makes to the files below
// some directories, in order, so that powercut.py can rebuild what a disk may hold after a power
// cut at any of them.
//
//   EDGEHOSE_RECORD_ROOTS=/a:/b EDGEHOSE_RECORD_LOG=/c/log LD_PRELOAD=.../record_writes.so program
//
// The log is a sequence of events, each a line of text and, for writes, that many bytes and an LF:
//   create INO PATH     a file that was not there          mkdir INO PATH
//   write INO OFFSET DSYNC LENGTH\n bytes                  size INO LENGTH
//   zero INO OFFSET LENGTH   a punched hole                sync INO PATH   of a file or a directory
//   rename FROM\tTO     unlink PATH     rmdir PATH     link FROM\tTO     syncfs INO PATH
//
// A change and its note are made under one lock, of all processes that write the same log, so the
// order of the notes is the order of the changes. Who holds the lock (fcntl) may kill a process
// between two changes. Changes through shared mappings are not seen: LMDB without WRITEMAP maps for
// reading only. Calls go to the kernel directly; 64-bit systems only.
//
// With EDGEHOSE_RECORD_BOOT_ID=FILE the program reads that file as the kernel's boot_id: another
// boot, as after a power cut.
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

static_assert(sizeof(long) == 8, "offsets are passed to the kernel in one register");

namespace {

constexpr int kMaxFd = 65536;
constexpr int kLogFd = 973;
enum : unsigned char { kUntracked = 0, kTracked = 1, kDsync = 2 };

unsigned char fds[kMaxFd];
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
bool logging = false;

struct Locked {
  Locked() {
    pthread_mutex_lock(&mutex);
    among_processes(F_WRLCK);
  }
  ~Locked() {
    const int saved = errno;
    among_processes(F_UNLCK);
    pthread_mutex_unlock(&mutex);
    errno = saved;
  }

 private:
  static void among_processes(short type) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    while (syscall(SYS_fcntl, kLogFd, F_SETLKW, &range) != 0)
      if (errno != EINTR) std::abort();
  }
};

__attribute__((constructor)) void begin() {
  const char* const path = std::getenv("EDGEHOSE_RECORD_LOG");
  if (!path || !std::getenv("EDGEHOSE_RECORD_ROOTS")) return;
  const long fd =
      syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  syscall(SYS_dup3, fd, kLogFd, O_CLOEXEC);
  syscall(SYS_close, fd);
  logging = true;
}

void note(const std::string& line, const void* data = nullptr, std::size_t size = 0) {
  const int saved = errno;
  std::string head = line + '\n';
  char lf = '\n';
  iovec parts[3] = {{head.data(), head.size()}, {const_cast<void*>(data), size}, {&lf, 1}};
  const ssize_t wanted = static_cast<ssize_t>(head.size() + (data ? size + 1 : 0));
  if (syscall(SYS_writev, kLogFd, parts, data ? 3 : 1) != wanted)
    std::abort();  // a log with a hole lies
  errno = saved;
}

std::string path_of(int fd) {
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  return n < 0 ? "" : std::string(path, static_cast<std::size_t>(n));
}

std::string absolute(int dir, const char* path) {
  if (path[0] == '/') return path;
  std::string base;
  if (dir == AT_FDCWD) {
    char cwd[PATH_MAX];
    base = syscall(SYS_getcwd, cwd, sizeof cwd) > 0 ? cwd : "";
  } else {
    base = path_of(dir);
  }
  return base + "/" + path;
}

bool below_roots(const std::string& path) {
  const char* roots = std::getenv("EDGEHOSE_RECORD_ROOTS");
  for (std::string_view rest = roots ? roots : ""; !rest.empty();) {
    const std::size_t colon = rest.find(':');
    const std::string_view root = rest.substr(0, colon);
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/'))
      return true;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return false;
}

std::string inode(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 ? std::to_string(info.st_ino) : "0";
}

std::string inode(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? std::to_string(info.st_ino) : "0";
}

bool tracked(int fd) { return logging && fd >= 0 && fd < kMaxFd && fds[fd] != kUntracked; }

int do_open(int dir, const char* path, int flags, mode_t mode) {
  if (std::strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
    if (const char* const other = std::getenv("EDGEHOSE_RECORD_BOOT_ID")) path = other;
  if (!logging) return static_cast<int>(syscall(SYS_openat, dir, path, flags, mode));
  const Locked lock;
  const bool there = syscall(SYS_faccessat, dir, path, F_OK) == 0;
  const int fd = static_cast<int>(syscall(SYS_openat, dir, path, flags, mode));
  if (fd < 0 || fd >= kMaxFd) return fd;
  const std::string name = path_of(fd);
  if (!below_roots(name)) {
    fds[fd] = kUntracked;
    return fd;
  }
  fds[fd] = (flags & O_DSYNC) ? kDsync : kTracked;
  if ((flags & O_CREAT) && !there)
    note("create " + inode(fd) + " " + name);
  else if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
    note("size " + inode(fd) + " 0");
  return fd;
}

ssize_t do_write(int fd, const iovec* parts, int count, off_t offset, bool at_offset) {
  const auto call = [&] {
    return at_offset ? syscall(SYS_pwritev, fd, parts, count, offset, 0L)
                     : syscall(SYS_writev, fd, parts, count);
  };
  if (!tracked(fd)) return call();
  const Locked lock;
  off_t at = offset;
  if (!at_offset) {
    struct stat info {};
    at = (fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &info) == 0
             ? info.st_size
             : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
  }
  const ssize_t n = call();
  if (n <= 0) return n;
  std::string data;
  for (int i = 0; i < count && data.size() < static_cast<std::size_t>(n); ++i)
    data.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  data.resize(static_cast<std::size_t>(n));
  note("write " + inode(fd) + " " + std::to_string(at) + " " + (fds[fd] == kDsync ? "1 " : "0 ") +
           std::to_string(n),
       data.data(), data.size());
  return n;
}

ssize_t do_write(int fd, const void* data, std::size_t size, off_t offset, bool at_offset) {
  const iovec part{const_cast<void*>(data), size};
  return do_write(fd, &part, 1, offset, at_offset);
}

int do_sync(int fd, long call, const char* what = "sync ") {
  if (!tracked(fd)) return static_cast<int>(syscall(call, fd));
  const Locked lock;
  const int result = static_cast<int>(syscall(call, fd));
  if (result == 0) note(what + inode(fd) + " " + path_of(fd));
  return result;
}

int do_truncate(int fd, off_t size) {
  if (!tracked(fd)) return static_cast<int>(syscall(SYS_ftruncate, fd, size));
  const Locked lock;
  const int result = static_cast<int>(syscall(SYS_ftruncate, fd, size));
  if (result == 0) note("size " + inode(fd) + " " + std::to_string(size));
  return result;
}

int do_allocate(int fd, int mode, off_t offset, off_t size) {
  if (!tracked(fd)) return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
  const Locked lock;
  const int result = static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
  if (result == 0 && (mode & FALLOC_FL_PUNCH_HOLE))
    note("zero " + inode(fd) + " " + std::to_string(offset) + " " + std::to_string(size));
  else if (result == 0 && !(mode & FALLOC_FL_KEEP_SIZE))
    note("write " + inode(fd) + " " + std::to_string(offset + size) + " 0 0", "", 0);
  return result;
}

// A call about names: what it says is noted when it succeeded and one of the names is below the
// roots.
template <class Call>
int do_name(const char* what, const std::string& from, const std::string& to, const Call& call) {
  if (!logging || !(below_roots(from) || below_roots(to))) return static_cast<int>(call());
  const Locked lock;
  const int result = static_cast<int>(call());
  if (result == 0) {
    if (std::strcmp(what, "mkdir") == 0)
      note("mkdir " + inode(from) + " " + from);
    else
      note(std::string(what) + " " + from + (to.empty() ? "" : "\t" + to));
  }
  return result;
}

mode_t mode_argument(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) ? static_cast<mode_t>(va_arg(arguments, unsigned)) : 0;
}

}  // namespace

// The C library's names, both spellings of each; declared here under names of ours, since the
// headers already bind them.
#define INTERPOSE(name, result, ...)                           \
  extern "C" result record_##name(__VA_ARGS__) __asm__(#name); \
  extern "C" result record_##name(__VA_ARGS__)

#define INTERPOSE_OPEN(name)                               \
  INTERPOSE(name, int, const char* path, int flags, ...) { \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_argument(flags, arguments);   \
    va_end(arguments);                                     \
    return do_open(AT_FDCWD, path, flags, mode);           \
  }
INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)

#define INTERPOSE_OPENAT(name)                                      \
  INTERPOSE(name, int, int dir, const char* path, int flags, ...) { \
    va_list arguments;                                              \
    va_start(arguments, flags);                                     \
    const mode_t mode = mode_argument(flags, arguments);            \
    va_end(arguments);                                              \
    return do_open(dir, path, flags, mode);                         \
  }
INTERPOSE_OPENAT(openat)
INTERPOSE_OPENAT(openat64)

INTERPOSE(__open_2, int, const char* path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
INTERPOSE(__open64_2, int, const char* path, int flags) {
  return do_open(AT_FDCWD, path, flags, 0);
}
INTERPOSE(__openat_2, int, int dir, const char* path, int flags) {
  return do_open(dir, path, flags, 0);
}
INTERPOSE(__openat64_2, int, int dir, const char* path, int flags) {
  return do_open(dir, path, flags, 0);
}
INTERPOSE(creat, int, const char* path, mode_t mode) {
  return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
INTERPOSE(creat64, int, const char* path, mode_t mode) {
  return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

INTERPOSE(close, int, int fd) {
  if (tracked(fd)) {
    const Locked lock;
    fds[fd] = kUntracked;
  }
  return static_cast<int>(syscall(SYS_close, fd));
}

INTERPOSE(write, ssize_t, int fd, const void* data, size_t size) {
  if (!tracked(fd)) return syscall(SYS_write, fd, data, size);
  return do_write(fd, data, size, 0, false);
}
INTERPOSE(pwrite, ssize_t, int fd, const void* data, size_t size, long offset) {
  return do_write(fd, data, size, offset, true);
}
INTERPOSE(pwrite64, ssize_t, int fd, const void* data, size_t size, long offset) {
  return do_write(fd, data, size, offset, true);
}
INTERPOSE(writev, ssize_t, int fd, const iovec* parts, int count) {
  return do_write(fd, parts, count, 0, false);
}
INTERPOSE(pwritev, ssize_t, int fd, const iovec* parts, int count, long offset) {
  return do_write(fd, parts, count, offset, true);
}
INTERPOSE(pwritev64, ssize_t, int fd, const iovec* parts, int count, long offset) {
  return do_write(fd, parts, count, offset, true);
}

INTERPOSE(fsync, int, int fd) { return do_sync(fd, SYS_fsync); }
INTERPOSE(fdatasync, int, int fd) { return do_sync(fd, SYS_fdatasync); }
INTERPOSE(syncfs, int, int fd) { return do_sync(fd, SYS_syncfs, "syncfs "); }
INTERPOSE(ftruncate, int, int fd, long size) { return do_truncate(fd, size); }
INTERPOSE(ftruncate64, int, int fd, long size) { return do_truncate(fd, size); }
INTERPOSE(fallocate, int, int fd, int mode, long offset, long size) {
  return do_allocate(fd, mode, offset, size);
}
INTERPOSE(fallocate64, int, int fd, int mode, long offset, long size) {
  return do_allocate(fd, mode, offset, size);
}

INTERPOSE(rename, int, const char* from, const char* to) {
  return do_name("rename", absolute(AT_FDCWD, from), absolute(AT_FDCWD, to),
                 [&] { return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); });
}
INTERPOSE(renameat, int, int a, const char* from, int b, const char* to) {
  return do_name("rename", absolute(a, from), absolute(b, to),
                 [&] { return syscall(SYS_renameat2, a, from, b, to, 0); });
}
INTERPOSE(renameat2, int, int a, const char* from, int b, const char* to, unsigned flags) {
  return do_name("rename", absolute(a, from), absolute(b, to),
                 [&] { return syscall(SYS_renameat2, a, from, b, to, flags); });
}
INTERPOSE(link, int, const char* from, const char* to) {
  return do_name("link", absolute(AT_FDCWD, from), absolute(AT_FDCWD, to),
                 [&] { return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); });
}
INTERPOSE(unlink, int, const char* path) {
  return do_name("unlink", absolute(AT_FDCWD, path), "",
                 [&] { return syscall(SYS_unlinkat, AT_FDCWD, path, 0); });
}
INTERPOSE(unlinkat, int, int dir, const char* path, int flags) {
  return do_name((flags & AT_REMOVEDIR) ? "rmdir" : "unlink", absolute(dir, path), "",
                 [&] { return syscall(SYS_unlinkat, dir, path, flags); });
}
INTERPOSE(rmdir, int, const char* path) {
  return do_name("rmdir", absolute(AT_FDCWD, path), "",
                 [&] { return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); });
}
INTERPOSE(mkdir, int, const char* path, mode_t mode) {
  return do_name("mkdir", absolute(AT_FDCWD, path), "",
                 [&] { return syscall(SYS_mkdirat, AT_FDCWD, path, mode); });
}
INTERPOSE(mkdirat, int, int dir, const char* path, mode_t mode) {
  return do_name("mkdir", absolute(dir, path), "",
                 [&] { return syscall(SYS_mkdirat, dir, path, mode); });
}
