#include "agent/run/bus_error.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace edgehose {
namespace {

// Written before the handler is set, and never freed: it may call nothing that locks.
const std::string* message = nullptr;

// SA_RESETHAND: the instruction that failed is tried again, and then ends the process.
void tell(int) {
  if (::write(STDERR_FILENO, message->data(), message->size()) < 0) return;
}

}  // namespace

void tell_bus_errors(const std::string& data_dir) {
  static std::string text;
  text = fmt::format(
      "edgehose: the buffer in {} cannot be read any more: its file was cut short, or its disk "
      "fails. The agent ends; its next start saves what can be read. Look at the disk (dmesg)\n",
      data_dir);
  message = &text;
  struct sigaction action {};
  action.sa_handler = tell;
  action.sa_flags = SA_RESETHAND;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace edgehose
