#include "sinks/http/sockets.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace edgehose {
namespace {

constexpr int kDeadPeerMs = 60'000;
constexpr int kProbeAfterSeconds = 15, kProbeEverySeconds = 15, kProbes = 3;
// Enough to keep the path busy between two turns of the loop; what waits here is memory, and is not
// yet known to move.
constexpr int kUnsentBytes = 128 << 10;

tcp_info info_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return info;
}

WireBytes wire_bytes_of(int fd) {
  const tcp_info info = info_of(fd);
  return {info.tcpi_bytes_sent, info.tcpi_bytes_received};
}

void set(int fd, int level, int option, int value) {
  // A kernel without one of these still carries the connection.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

int Sockets::open(int family, int type, int protocol) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) return fd;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kProbeAfterSeconds);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kProbeEverySeconds);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kDeadPeerMs);
  set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytes);
  open_.insert(fd);
  return fd;
}

void Sockets::close(int fd) {
  if (open_.erase(fd) != 0) closed_ += wire_bytes_of(fd);
  ::close(fd);
}

SocketProgress Sockets::progress(int fd) {
  const tcp_info info = info_of(fd);
  return {info.tcpi_bytes_acked + info.tcpi_bytes_received, info.tcpi_bytes_received,
          info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0};
}

WireBytes Sockets::total() const {
  WireBytes total = closed_;
  for (const int fd : open_) total += wire_bytes_of(fd);
  return total;
}

}  // namespace edgehose
