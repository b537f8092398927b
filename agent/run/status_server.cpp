#include "agent/run/status_server.h"

#include <grp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/log.h"

namespace edgehose {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::kInvalid,
                "the status socket {} cannot be made: its path is longer than {} bytes; use a shorter data_dir",
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

// Takes a dead process's socket out of the way.
Status clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, fmt::format("looking at {}", path));
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(ErrorCode::kInvalid, "{} is not a socket: move it away, the status socket belongs there", path);
  EH_ASSIGN(const FileDescriptor probe, unix_socket());
  const int error = connect_to(probe.get(), address);
  if (error == 0 || error == EAGAIN)
    return fail(ErrorCode::kBusy, "another process already answers at {}", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno(errno, fmt::format("removing the old socket {}", path));
  return {};
}

// Group adm, where it exists and we may: membership of it is what systemd's unit asks for.
void open_to_adm(const std::string& path) {
  std::array<char, 4096> storage{};
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r("adm", &entry, storage.data(), storage.size(), &found) == 0 && found != nullptr)
    if (::lchown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0)
      log::debug("the status socket {} is not readable by the group adm: {}", path, std::strerror(errno));
}

Status watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno(errno, "watching a status socket");
  return {};
}

}  // namespace

Result<std::unique_ptr<StatusServer>> StatusServer::listen(const std::string& path, const Clock& clock) {
  EH_ASSIGN(const sockaddr_un address, address_of(path));
  EH_TRY(clear_path(path, address));
  std::unique_ptr<StatusServer> server(new StatusServer(path, clock));
  EH_ASSIGN(server->listener_, unix_socket());
  // The mode of an unbound socket is the bound file's: nobody gets in before the group is right.
  if (::fchmod(server->listener_.get(), 0600) != 0) return fail_errno(errno, "restricting a status socket");
  if (::bind(server->listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, fmt::format("making the status socket {}", path));
  open_to_adm(path);
  if (::chmod(path.c_str(), 0660) != 0) return fail_errno(errno, fmt::format("opening {} to its group", path));
  if (::listen(server->listener_.get(), static_cast<int>(kMaxClients)) != 0)
    return fail_errno(errno, fmt::format("listening at {}", path));
  server->epoll_ = FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!server->epoll_.valid()) return fail_errno(errno, "making an epoll descriptor");
  EH_TRY(watch(server->epoll_.get(), server->listener_.get(), EPOLLIN));
  return server;
}

StatusServer::~StatusServer() {
  if (listener_.valid()) ::unlink(path_.c_str());
}

Instant StatusServer::deadline() const {
  return clients_.empty() ? kNever : clients_.front().deadline;
}

void StatusServer::serve(const std::function<std::string()>& make_json) {
  // Takes the edges (clients are edge-triggered) before sending, so that none is lost.
  std::array<epoll_event, 2 * kMaxClients> events{};
  (void)::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  accept_clients(make_json);
  const Instant now = clock_.now();
  std::erase_if(clients_, [&](Client& client) { return !send_more(client) || now >= client.deadline; });
}

void StatusServer::accept_clients(const std::function<std::string()>& make_json) {
  std::shared_ptr<const std::string> answer;
  for (std::size_t accepted = 0; accepted < kMaxClients; ++accepted) {
    FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    if (!watch(epoll_.get(), socket.get(), EPOLLOUT | EPOLLRDHUP | EPOLLET)) return;
    if (answer == nullptr) {
      std::string json = make_json();
      if (json.size() > kMaxAnswer) json = R"({"error":"the status is longer than its bound"})";
      answer = std::make_shared<const std::string>(std::move(json));
    }
    if (clients_.size() == kMaxClients) clients_.erase(clients_.begin());
    clients_.push_back({std::move(socket), answer, 0, clock_.now() + kClientTime});
  }
}

bool StatusServer::send_more(Client& client) const {
  while (client.sent < client.answer->size()) {
    const ssize_t n = ::send(client.socket.get(), client.answer->data() + client.sent,
                             client.answer->size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    client.sent += static_cast<std::size_t>(n);
  }
  return false;
}

namespace {

Status wait_readable(int fd, Instant deadline, const Clock& clock, const std::string& path) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now()).count();
  pollfd poller{fd, POLLIN, 0};
  if (left > 0 && ::poll(&poller, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) > 0) return {};
  return fail(ErrorCode::kUnavailable, "the agent at {} does not answer", path);
}

}  // namespace

Result<std::string> ask_status(const std::string& path, Duration patience) {
  EH_ASSIGN(const sockaddr_un address, address_of(path));
  EH_ASSIGN(const FileDescriptor socket, unix_socket());
  const int error = connect_to(socket.get(), address);
  if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
    return fail(ErrorCode::kNotFound, "no agent listens at {}", path);
  if (error == EAGAIN) return fail(ErrorCode::kUnavailable, "the agent at {} does not answer", path);
  if (error == EACCES || error == EPERM)
    return fail(ErrorCode::kPermission,
                "this user may not ask the agent at {}: ask as root or as a member of the group adm", path);
  if (error != 0) return fail_errno(error, fmt::format("asking the agent at {}", path));

  const auto clock = make_system_clock();
  const Instant deadline = clock->now() + patience;
  std::string answer;
  std::array<char, 16384> chunk{};
  while (answer.size() <= StatusServer::kMaxAnswer) {
    EH_TRY(wait_readable(socket.get(), deadline, *clock, path));
    const ssize_t n = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, fmt::format("reading the status from {}", path));
    if (n == 0) return answer;
    answer.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return fail(ErrorCode::kInvalid, "the answer from {} is longer than {} bytes", path, StatusServer::kMaxAnswer);
}

}  // namespace edgehose
