#include "sinks/aws_client/child_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace edgehose {
namespace {

constexpr int kSignalled = 128;

// How the child differs from the agent: its descriptors, its signals (the agent blocks some), a
// process group of its own.
class SpawnOptions {
 public:
  explicit SpawnOptions(int output) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

Result<std::unique_ptr<ChildProgram>> ChildProgram::start(const std::vector<std::string>& arguments,
                                                          std::size_t limit) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "a pipe");
  FileDescriptor output(ends[0]);
  const FileDescriptor input(ends[1]);
  if (::fcntl(output.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "a pipe");

  std::vector<std::string> words = arguments;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const SpawnOptions options(input.get());
  pid_t pid = 0;
  const int failed =
      ::posix_spawnp(&pid, argv[0], &options.actions, &options.attributes, argv.data(), environ);
  if (failed != 0) return fail_errno(failed, "it cannot be started");
  return std::unique_ptr<ChildProgram>(new ChildProgram(pid, std::move(output), limit));
}

ChildProgram::ChildProgram(pid_t pid, FileDescriptor output, std::size_t limit)
    : pid_(pid), output_(std::move(output)), limit_(limit) {}

ChildProgram::~ChildProgram() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<int> ChildProgram::step() {
  read_output();
  if (output_.valid()) return std::nullopt;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return std::nullopt;
  pid_ = 0;
  if (ended < 0) return kSignalled;  // somebody else waited for it
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

void ChildProgram::read_output() {
  std::array<char, 4096> buffer;
  while (output_.valid()) {
    const ssize_t n = ::read(output_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) output_.reset();
    if (n > 0 && text_.size() + static_cast<std::size_t>(n) > limit_) {
      too_long_ = true;
      output_.reset();  // it ends by SIGPIPE, or in its time
    } else if (n > 0) {
      text_.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  ::explicit_bzero(buffer.data(), buffer.size());
}

}  // namespace edgehose
