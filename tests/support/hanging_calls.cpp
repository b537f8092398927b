// Preloaded (LD_PRELOAD): a dying disk. Of a file below $HANG_BELOW fdatasync does not return while
// the file $HANG_WHILE is there; below $CRAWL_BELOW each pread of a MiB or more takes a second.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

bool is_below(int fd, const char* directory) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = 0;
  return std::strncmp(path, directory, std::strlen(directory)) == 0;
}

void crawl(int fd, size_t size) {
  const char* const below = std::getenv("CRAWL_BELOW");
  if (size >= 1 << 20 && below != nullptr && is_below(fd, below)) ::usleep(1'000'000);
}

}  // namespace

extern "C" int fdatasync(int fd) {
  const char* const below = std::getenv("HANG_BELOW");
  const char* const as_long_as = std::getenv("HANG_WHILE");
  if (below != nullptr && as_long_as != nullptr && is_below(fd, below))
    while (::access(as_long_as, F_OK) == 0) ::usleep(10'000);
  using Function = int (*)(int);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "fdatasync"));
  return real(fd);
}

// What pread() is where offsets have 64 bits: the headers call it by another name then.
extern "C" ssize_t pread(int fd, void* out, size_t size, off_t offset) {
  crawl(fd, size);
  using Function = ssize_t (*)(int, void*, size_t, off_t);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "pread64"));
  return real(fd, out, size, offset);
}
