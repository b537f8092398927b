#include "buffer/environment_check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "agent/base/bytes.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/environment_walk.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A walk that tells nothing for so long has hung in a damaged tree, or on a dead disk; one that
// tells and tells goes in circles.
constexpr std::chrono::seconds kSilence = 30s, kWalkDeadline = 10min;
constexpr std::size_t kMaxAnswer = 512u << 20;

// --- what a walk tells, which in the end is the child's answer
// ------------------------------------

constexpr std::uint64_t kNoOffset = UINT64_MAX;

enum Frame : std::uint8_t {
  kEntry = 1,
  kBlock = 2,
  kComplete = 3,
  kSound = 4,
  kDamaged = 5,
  kRefused = 6,
  kAlive = 7
};

// Dead letters may be most of what the file holds, and only a salvage wants them.
enum class Part { kAllButLetters, kLetters };

class Answer final : public WalkListener {
 public:
  // `fd`: where it goes; -1: it is kept.
  Answer(int fd, Part part) : fd_(fd), part_(part) {}

  void on_entry(std::string_view key, std::string_view value) override {
    tell_that_it_lives();
    if (key.starts_with(keyspace::kDeadLetterPrefix) != (part_ == Part::kLetters)) return;
    std::string out;
    put_string(out, key);
    out.append(value);
    send(kEntry, out);
  }
  void on_block(BlockNumber number, const LiveBlock& block) override {
    tell_that_it_lives();
    if (part_ == Part::kLetters) return;
    std::string out;
    put_le(out, number.value);
    put_le(out, block.source.value);
    put_le(out, block.size);
    put_le(out, block.offset.value_or(kNoOffset));
    send(kBlock, out);
  }
  void on_complete() override { send(kComplete, {}); }

  void send(Frame type, std::string_view payload) {
    put_le(out_, static_cast<std::uint8_t>(type));
    put_le(out_, static_cast<std::uint32_t>(payload.size()));
    out_.append(payload);
    if (out_.size() >= 1 << 16) flush();
  }
  void flush() {
    if (fd_ < 0) return;
    if (!write_all(fd_, out_, "pipe")) ::_exit(1);
    out_.clear();
    flushed_ = SteadyClock::now();
  }
  std::string take() { return std::move(out_); }

 private:
  void tell_that_it_lives() {
    if (SteadyClock::now() - flushed_ < 1s) return;
    send(kAlive, {});
    flush();
  }

  int fd_;
  Part part_;
  std::string out_;
  SteadyClock::time_point flushed_ = SteadyClock::now();
};

// Whether the error is the file's, and not the machine's of this moment: that would have a sound
// buffer set aside.
bool is_damage(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCorrupt:
    case ErrorCode::kInvalid: return true;
    case ErrorCode::kIo: break;
    default: return false;
  }
  switch (error.sys) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOLCK:
    case EINTR: return false;
    default: return true;
  }
}

void walk_and_tell(const std::string& path, const MetaPages& meta, const StoreOptions& options,
                   CheckDepth depth, Answer& answer) {
  const Status status = walk_environment(path, meta, options, depth, answer);
  if (status) {
    answer.send(kSound, {});
  } else if (is_damage(status.error())) {
    answer.send(kDamaged, status.error().message);
  } else {
    std::string refusal;
    put_le(refusal, static_cast<std::uint8_t>(status.error().code));
    answer.send(kRefused, refusal + status.error().message);
  }
  answer.flush();
}

[[noreturn]] void be_the_child(const std::string& path, const MetaPages& meta,
                               const StoreOptions& options, CheckDepth depth, Part part, int out,
                               pid_t parent) {
  // Whoever asked is gone, or will be: nobody waits for the answer.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
  log::set_level(log::Level::kOff);  // another thread may have held the log's lock
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int sig : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGPIPE, SIGTERM, SIGINT})
    ::signal(sig, SIG_DFL);
  // LMDB's assertions are no news here.
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDERR_FILENO);
  Answer answer(out, part);
  walk_and_tell(path, meta, options, depth, answer);
  ::_exit(0);
}

// --- the parent --------------------------------------------------------------------------------

// All that the child writes, until it ends, is silent or takes too long; the latter two say so.
std::string listen(int fd, bool& timed_out, OpenProgress& progress) {
  std::string answer;
  const auto end = SteadyClock::now() + kWalkDeadline;
  auto deadline = SteadyClock::now() + kSilence;
  std::string chunk(1 << 16, '\0');
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::min(deadline, end) - SteadyClock::now());
    if (left <= 0ms || answer.size() > kMaxAnswer) {
      timed_out = true;
      return answer;
    }
    pollfd readable{fd, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return answer;
    answer.append(chunk, 0, static_cast<std::size_t>(n));
    deadline = SteadyClock::now() + kSilence;
    progress.advance(0);
  }
}

std::string describe_end(int status, bool timed_out) {
  if (timed_out) return "checking it did not come to an end";
  if (WIFSIGNALED(status))
    return fmt::format("reading it ended in a signal ({})", ::strsignal(WTERMSIG(status)));
  return "checking it failed";
}

void take_block(std::string_view payload, EnvironmentCheck& check) {
  ByteReader in(payload);
  const BlockNumber number(in.le<std::uint64_t>());
  LiveBlock block;
  block.source = SourceId(in.le<std::uint32_t>());
  block.size = in.le<std::uint64_t>();
  if (const auto offset = in.le<std::uint64_t>(); offset != kNoOffset) block.offset = offset;
  if (in.ok()) check.blocks[number] = block;
}

Result<EnvironmentCheck> understand(std::string_view answer, int status, bool timed_out) {
  EnvironmentCheck check;
  bool judged = false;
  for (ByteReader in(answer); !in.at_end();) {
    const auto type = in.le<std::uint8_t>();
    const std::string_view payload = in.take(in.le<std::uint32_t>());
    if (!in.ok()) break;  // the child ended in the middle
    if (type == kEntry) {
      ByteReader entry(payload);
      const std::string_view key = entry.string();
      if (entry.ok()) check.entries[std::string(key)] = entry.rest();
    } else if (type == kBlock) {
      take_block(payload, check);
    } else if (type == kAlive) {
      continue;
    } else if (type == kComplete) {
      check.complete = true;
    } else if (type == kRefused) {
      ByteReader refusal(payload);
      const auto code = static_cast<ErrorCode>(refusal.le<std::uint8_t>());
      Error error{code, 0, std::string(refusal.rest())};
      if (code != ErrorCode::kUnsupported) return tl::unexpected(std::move(error));
      judged = true;
      check.unreadable = std::move(error);
    } else {
      judged = true;
      check.sound = type == kSound;
      check.reason = payload;
    }
  }
  if (!judged) {
    check.sound = false;
    check.reason = describe_end(status, timed_out);
  }
  return check;
}

Result<EnvironmentCheck> ask_child(const std::string& path, const MetaPages& meta,
                                   const StoreOptions& options, CheckDepth depth, Part part) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return fail_errno(errno, "making a pipe to check the buffer");
  FileDescriptor in(pipe[0]), out(pipe[1]);
  options.progress->begin("checking the buffer");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "starting a process to check the buffer");
  if (child == 0) {
    in.reset();
    be_the_child(path, meta, options, depth, part, out.get(), parent);
  }
  out.reset();
  bool timed_out = false;
  const std::string answer = listen(in.get(), timed_out, *options.progress);
  if (timed_out) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return understand(answer, status, timed_out);
}

// What is found of that part of the environment.
Result<EnvironmentCheck> ask(const std::string& path, const MetaPages& meta,
                             const StoreOptions& options, CheckDepth depth, Part part) {
  if (options.checks_apart) return ask_child(path, meta, options, depth, part);
  Answer answer(-1, part);
  walk_and_tell(path, meta, options, depth, answer);
  return understand(answer.take(), 0, false);
}

}  // namespace

Result<EnvironmentCheck> check_environment(const std::string& path, const StoreOptions& options,
                                           CheckDepth depth) {
  EnvironmentCheck check;
  const auto read = read_meta_pages(path);
  if (!read && read.error().code != ErrorCode::kUnsupported) return tl::unexpected(read.error());
  if (!read) {
    check.unreadable = read.error();
    return check;
  }
  const MetaPages& meta = *read;
  check.reason = meta.damage;
  if (!check.reason.empty()) {
    if (const auto page = remaining_meta_page(path)) check.newest = NewestCommit{*page, false};
    return check;
  }
  NewestCommit newest{*std::ranges::max_element(meta.pages, {}, &lmdb::MetaPage::transaction)};
  EH_ASSIGN(check.reason, check_order(path, meta));
  newest.certain = check.reason.empty();
  check.newest = newest;
  if (!newest.certain) return check;
  EH_ASSIGN(check, ask(path, meta, options, depth, Part::kAllButLetters));
  check.newest = newest;
  if (check.sound || check.unreadable) return check;
  EH_ASSIGN(EnvironmentCheck letters, ask(path, meta, options, depth, Part::kLetters));
  check.entries.merge(letters.entries);
  check.complete = check.complete && letters.complete;
  return check;
}

Status refuse_damaged(const std::string& path, const StoreOptions& options) {
  EH_ASSIGN(const EnvironmentCheck check, check_environment(path, options, CheckDepth::kStructure));
  if (check.sound) return {};
  const bool in_use = path.ends_with(keyspace::kEnvironmentFile);
  if (check.unreadable)
    return fail(ErrorCode::kUnsupported, "{}{}", check.unreadable->message,
                in_use ? ". 'edgehose run' sets it aside and goes on with a new one" : "");
  return fail(ErrorCode::kCorrupt, "the buffer {} is damaged ({}): {}", path, check.reason,
              in_use ? "start the agent, it salvages what can be read"
                     : "'edgehose buffer export --file' takes out what can be read");
}

}  // namespace edgehose
