#include "agent/run/unix_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace edgehose {

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::kInvalid,
                "the control socket {} cannot be made: its path is longer than {} bytes; use a "
                "shorter data_dir",
                path, sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<FileDescriptor> unix_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail_errno(errno, "making a unix socket");
  return FileDescriptor(fd);
}

int connect_to(int fd, const sockaddr_un& address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(fd, generic, sizeof address) == 0 ? 0 : errno;
}

}  // namespace edgehose
