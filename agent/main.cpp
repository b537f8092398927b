// edgehose: see agent/commands/command_line.h.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/commands/command_line.h"

namespace {

// A caller may have closed them; then the buffer would be opened as descriptor 2, and the log be
// written into it.
bool have_standard_descriptors() {
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
  return fd >= 0;
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
