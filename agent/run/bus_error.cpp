#include "agent/run/bus_error.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace edgehose {
namespace {

std::string& line() {
  static std::string text;  // never freed before the process ends: no thread reads it later
  return text;
}
// For the handler, which may call nothing that locks.
const char* line_begin = "";
std::size_t line_size = 0;

// SA_RESETHAND: the instruction that failed is tried again, and then ends the process.
void tell(int) {
  if (::write(STDERR_FILENO, line_begin, line_size) < 0) return;
}

}  // namespace

void tell_bus_errors(const std::string& data_dir) {
  line() = fmt::format(
      "edgehose: the buffer in {} cannot be read any more: its file was cut short, or its disk "
      "fails. The agent ends; its next start saves what can be read. Look at the disk (dmesg)\n",
      data_dir);
  line_begin = line().data();
  line_size = line().size();
  struct sigaction action {};
  action.sa_handler = tell;
  action.sa_flags = SA_RESETHAND;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace edgehose
