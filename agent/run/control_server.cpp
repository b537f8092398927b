#include "agent/run/control_server.h"

#include <grp.h>
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
#include "agent/run/unix_socket.h"

namespace edgehose {
namespace {

// Takes a dead process's socket out of the way.
Status clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, fmt::format("looking at {}", path));
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(ErrorCode::kInvalid,
                "{} is not a socket: move it away, the control socket belongs there", path);
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
      log::debug("the control socket {} is not readable by the group adm: {}", path,
                 std::strerror(errno));
}

Status watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
    return fail_errno(errno, "watching a control socket");
  return {};
}

// Root, or who we are: as the kernel noted it when the client connected.
bool is_owner(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& path,
                                                             const Clock& clock) {
  EH_ASSIGN(const sockaddr_un address, socket_address(path));
  EH_TRY(clear_path(path, address));
  std::unique_ptr<ControlServer> server(new ControlServer(path, clock));
  EH_ASSIGN(server->listener_, unix_socket());
  // The mode of an unbound socket is the bound file's: nobody gets in before the group is right.
  if (::fchmod(server->listener_.get(), 0600) != 0)
    return fail_errno(errno, "restricting a control socket");
  if (::bind(server->listener_.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof address) != 0)
    return fail_errno(errno, fmt::format("making the control socket {}", path));
  open_to_adm(path);
  if (::chmod(path.c_str(), 0660) != 0)
    return fail_errno(errno, fmt::format("opening {} to its group", path));
  if (::listen(server->listener_.get(), static_cast<int>(kMaxClients)) != 0)
    return fail_errno(errno, fmt::format("listening at {}", path));
  server->epoll_ = FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!server->epoll_.valid()) return fail_errno(errno, "making an epoll descriptor");
  EH_TRY(watch(server->epoll_.get(), server->listener_.get(), EPOLLIN));
  return server;
}

ControlServer::~ControlServer() {
  if (listener_.valid()) ::unlink(path_.c_str());
}

Instant ControlServer::deadline() const {
  Instant due = kNever;
  for (const Client& client : clients_) {
    const bool silent = client.step == Step::kReading && client.request.empty();
    due = std::min(due, silent ? std::min(client.silent_until, client.deadline) : client.deadline);
  }
  return due;
}

void ControlServer::serve(const ControlHandlers& handlers) {
  // Takes the edges (clients are edge-triggered) before reading and sending, so that none is lost.
  std::array<epoll_event, 2 * kMaxClients> events{};
  (void)::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  accept_clients();
  std::shared_ptr<const std::string> made;
  const MakeStatus status = [&] {
    if (made == nullptr) {
      std::string json = handlers.status();
      if (json.size() > kMaxAnswer) json = R"({"error":"the status is longer than its bound"})";
      made = std::make_shared<const std::string>(std::move(json));
    }
    return made;
  };
  const Instant now = clock_.now();
  std::erase_if(clients_, [&](Client& client) {
    return !advance(client, status, handlers) || now >= client.deadline;
  });
}

void ControlServer::accept_clients() {
  for (std::size_t accepted = 0; accepted < kMaxClients; ++accepted) {
    FileDescriptor socket(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    if (!watch(epoll_.get(), socket.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) return;
    if (clients_.size() == kMaxClients) {
      const auto idle = std::find_if(clients_.begin(), clients_.end(),
                                     [](const Client& c) { return c.step != Step::kWaiting; });
      clients_.erase(idle == clients_.end() ? clients_.begin() : idle);
    }
    Client client;
    client.ticket = next_ticket_++;
    client.may_change = is_owner(socket.get());
    client.socket = std::move(socket);
    client.silent_until = clock_.now() + kSilence;
    client.deadline = clock_.now() + kClientTime;
    clients_.push_back(std::move(client));
  }
}

// False: done with it.
bool ControlServer::advance(Client& client, const MakeStatus& status,
                            const ControlHandlers& handlers) {
  if (client.step == Step::kReading) {
    bool ended = false;
    if (!read_request(client, ended)) return false;
    const std::size_t end = client.request.find('\n');
    const bool silent = client.request.empty() && (ended || clock_.now() >= client.silent_until);
    if (end == std::string::npos && !silent && !ended && client.request.size() < kMaxRequest)
      return true;
    // A line that is too long is no request of ours, whatever it begins with.
    const bool too_long = end == std::string::npos && client.request.size() >= kMaxRequest;
    act(client, too_long ? "(too long)" : std::string_view(client.request).substr(0, end), status,
        handlers);
  }
  return client.step == Step::kWaiting || send_more(client);
}

// Takes what came. False: the client is gone, or its socket broken.
bool ControlServer::read_request(Client& client, bool& ended) const {
  std::array<char, 4096> chunk{};
  while (client.request.size() < kMaxRequest) {
    const std::size_t room = std::min(chunk.size(), kMaxRequest - client.request.size());
    const ssize_t n = ::recv(client.socket.get(), chunk.data(), room, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) {
      ended = true;
      return true;
    }
    client.request.append(chunk.data(), static_cast<std::size_t>(n));
    if (client.request.back() == '\n') return true;
  }
  return true;
}

void ControlServer::act(Client& client, std::string_view line, const MakeStatus& status,
                        const ControlHandlers& handlers) {
  const auto tell = [&](const Result<ChangeReport>& outcome) {
    client.answer = std::make_shared<const std::string>(answer_json(outcome));
    client.step = Step::kAnswering;
  };
  const auto refuse = [&](const Error& error) { tell(tl::unexpected(error)); };
  const auto request = parse_request(line);
  if (!request) return refuse(request.error());
  if (std::holds_alternative<StatusRequest>(*request)) {
    client.answer = status();
    client.step = Step::kAnswering;
    return;
  }
  if (!client.may_change)
    return refuse(
        {ErrorCode::kPermission, 0,
         "only root and the agent's own user may change something; the status is free to read"});
  if (std::holds_alternative<ReloadRequest>(*request)) return tell(handlers.reload());
  client.step = Step::kWaiting;
  client.deadline = clock_.now() + kChangeTime;
  handlers.change(client.ticket, std::get<ControlChange>(*request));
}

void ControlServer::answer(ControlTicket ticket, const Result<ChangeReport>& outcome) {
  const auto client = std::find_if(clients_.begin(), clients_.end(),
                                   [&](const Client& c) { return c.ticket == ticket; });
  if (client == clients_.end() || client->step != Step::kWaiting) return;
  client->answer = std::make_shared<const std::string>(answer_json(outcome));
  client->step = Step::kAnswering;
  client->deadline = clock_.now() + kClientTime;
  if (!send_more(*client)) clients_.erase(client);
}

bool ControlServer::send_more(Client& client) const {
  while (client.sent < client.answer->size()) {
    const ssize_t n = ::send(client.socket.get(), client.answer->data() + client.sent,
                             client.answer->size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    client.sent += static_cast<std::size_t>(n);
  }
  return false;
}

}  // namespace edgehose
