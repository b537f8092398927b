// Preloaded (LD_PRELOAD): fdatasync of a file below $HANG_BELOW does not return while the file
// $HANG_WHILE is there, as on a dying disk.
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
