#include "agent/run/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "agent/base/file.h"

namespace edgehose {
namespace {

std::optional<std::int64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

}  // namespace

Notifier Notifier::from_environment() {
  Notifier notifier;
  if (const char* address = std::getenv("NOTIFY_SOCKET")) notifier.address_ = address;
  const std::optional<std::int64_t> pid = number_from("WATCHDOG_PID");
  const std::optional<std::int64_t> usec = number_from("WATCHDOG_USEC");
  if (usec && *usec > 0 && (!pid || *pid == ::getpid()))
    notifier.watchdog_interval_ = std::chrono::microseconds(*usec / 2);
  return notifier;
}

void Notifier::starting(std::string_view status, Duration longer) {
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(longer).count();
  send(fmt::format("EXTEND_TIMEOUT_USEC={}\nSTATUS={}", usec, status));
}

void Notifier::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", usec));
}

void Notifier::send(std::string_view message) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address_.empty() || address_.size() >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';  // an abstract name
  const FileDescriptor fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // Nobody to tell is no reason to stop.
  [[maybe_unused]] const ssize_t n =
      ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to), length);
}

}  // namespace edgehose
