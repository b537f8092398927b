// edgehose: see agent/commands/command_line.h.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/commands/command_line.h"

namespace {

// A caller may have closed them; then the buffer would be opened as descriptor 2, and the log be
// written into it. Where all are open nothing is asked for: a root without /dev is fine.
bool have_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
  return true;
}

// Memory holds records, keys and passwords: none of it belongs in a core dump.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main(int count, char** arguments) {
  if (!have_standard_descriptors()) return edgehose::kExitFailed;
  forbid_core_dumps();
  return edgehose::run_command_line({arguments + 1, arguments + count});
}
