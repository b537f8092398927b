#include "agent/commands/agent_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>

#include "agent/base/process.h"

namespace edgehose {
namespace {

// In the child: becomes the agent, or says why not by its exit code (as a shell does).
[[noreturn]] void become_agent(const char* program, char* const* arguments, int log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(128 + SIGKILL);  // it ended before it was asked for
  ::setpgid(0, 0);  // a terminal's Ctrl-C is for the parent, which ends this one in order
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(program, arguments);
  constexpr int kCannotExecute = 126;
  ::_exit(kCannotExecute);
}

// Of a process that runs, or ended and was not waited for. The account of one that ended is root's
// to open, but who has it open may read it.
std::optional<std::uint64_t> written_by(int account) {
  constexpr std::string_view kField = "\nwrite_bytes: ";
  char text[1024];
  const ssize_t size = ::pread(account, text, sizeof text, 0);
  if (size <= 0) return std::nullopt;
  const std::string_view read(text, static_cast<std::size_t>(size));
  const std::size_t at = read.find(kField);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t bytes = 0;
  if (std::from_chars(text + at + kField.size(), text + size, bytes).ec != std::errc{})
    return std::nullopt;
  return bytes;
}

}  // namespace

AgentProcess::~AgentProcess() {
  send(SIGKILL);
  if (pid_ > 0)
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Status AgentProcess::start(const std::vector<std::string>& options) {
  EH_ASSIGN(const FileDescriptor log, open_file(log_, O_WRONLY | O_CREAT | O_APPEND, 0640));
  std::vector<std::string> words = {"edgehose", "run", "--config", config_};
  words.insert(words.end(), options.begin(), options.end());
  const std::vector<char*> arguments = argument_list(words);
  const std::string program = own_program();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "starting the agent as a process of its own");
  if (pid == 0) become_agent(program.c_str(), arguments.data(), log.get(), parent);
  pid_ = pid;
  account_ = FileDescriptor(::open(fmt::format("/proc/{}/io", pid).c_str(), O_RDONLY | O_CLOEXEC));
  return {};
}

void AgentProcess::send(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

std::optional<int> AgentProcess::ended() {
  if (pid_ < 0) return code_;
  siginfo_t info{};
  // Not waited for before its account is read.
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0)
    return std::nullopt;
  const auto bytes = written_by(account_.get());
  written_ = written_ && bytes ? std::optional(*written_ + *bytes) : std::nullopt;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return code_;
}

}  // namespace edgehose
