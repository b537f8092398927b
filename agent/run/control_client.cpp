#include "agent/run/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/run/control.h"
#include "agent/run/control_server.h"
#include "agent/run/unix_socket.h"

namespace edgehose {
namespace {

Status wait_readable(int fd, Instant deadline, const Clock& clock, const std::string& path) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now()).count();
  pollfd poller{fd, POLLIN, 0};
  if (left > 0 && ::poll(&poller, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) > 0)
    return {};
  return fail(ErrorCode::kUnavailable, "the agent at {} does not answer", path);
}

// The socket, or a directory above it, is not for this user.
Error refused(const std::string& path) {
  const std::string directory = parent_directory(path);
  if (::access(directory.c_str(), X_OK) == 0 || errno != EACCES)
    return {ErrorCode::kPermission, EACCES,
            fmt::format("this user may not ask the agent at {}: ask as root or as a member of the "
                        "group adm",
                        path)};
  return {ErrorCode::kPermission, EACCES,
          fmt::format("this user may not enter {}, where the agent's control socket is: ask as "
                      "root or as the agent's user. For the group adm put the socket where it may "
                      "enter: agent.status_socket = \"/run/edgehose/status.sock\"",
                      directory)};
}

}  // namespace

Result<std::string> ask_agent(const std::string& path, const std::string& line, Duration patience) {
  EH_ASSIGN(const sockaddr_un address, socket_address(path));
  EH_ASSIGN(const FileDescriptor socket, unix_socket());
  const int error = connect_to(socket.get(), address);
  if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
    return fail(ErrorCode::kNotFound, "no agent listens at {}", path);
  if (error == EAGAIN)
    return fail(ErrorCode::kUnavailable, "the agent at {} does not answer", path);
  if (error == EACCES || error == EPERM) return tl::unexpected(refused(path));
  if (error != 0) return fail_errno(error, fmt::format("asking the agent at {}", path));

  const auto clock = make_system_clock();
  const Instant deadline = clock->now() + patience;
  // A line fits into any socket's buffer. A release before there were requests answers without one,
  // and may have closed already.
  const ssize_t sent = ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(line.size()) && errno != EPIPE)
    return fail_errno(errno, fmt::format("asking the agent at {}", path));
  std::string answer;
  std::array<char, 16384> chunk{};
  while (answer.size() <= ControlServer::kMaxAnswer) {
    EH_TRY(wait_readable(socket.get(), deadline, *clock, path));
    const ssize_t n = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0 && errno == ECONNRESET && !answer.empty()) return answer;
    if (n < 0) return fail_errno(errno, fmt::format("reading the answer from {}", path));
    if (n == 0) return answer;
    answer.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return fail(ErrorCode::kInvalid, "the answer from {} is longer than {} bytes", path,
              ControlServer::kMaxAnswer);
}

Result<std::string> ask_status(const std::string& path, Duration patience) {
  return ask_agent(path, "status\n", patience);
}

Result<ChangeReport> ask_reload(const std::string& path, Duration patience) {
  EH_ASSIGN(const std::string answer, ask_agent(path, "reload\n", patience));
  return parse_answer(answer);
}

Result<ChangeReport> ask_change(const std::string& path, const ControlChange& change,
                                Duration patience) {
  EH_ASSIGN(const std::string line, request_line(change));
  EH_ASSIGN(const std::string answer, ask_agent(path, line, patience));
  return parse_answer(answer);
}

}  // namespace edgehose
