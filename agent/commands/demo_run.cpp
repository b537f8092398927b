#include "agent/commands/demo_run.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "agent/base/file.h"
#include "agent/base/text.h"
#include "agent/config/value.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr Duration kStep = 10ms;
constexpr Duration kStopLimit = 30s;  // the agent's own is 5 s; slow machines get more
constexpr Duration kDrainLimit = 2min;
constexpr std::uint64_t kRotations = 7;

// What a user would write, and what keeps the demo to itself: its socket, a small buffer, and no
// regard for what the disk has left, since its room was asked for beforehand.
std::string config_text(const std::string& directory, const AgeRecipient& recipient) {
  const auto quoted = [&](std::string_view name) {
    return config::quote(fmt::format("{}/{}", directory, name));
  };
  return fmt::format(
      "[agent]\n"
      "id            = \"demo\"\n"
      "data_dir      = {}\n"
      "status_socket = {}\n\n"
      "[buffer]\n"
      "max_size          = \"16MiB\"\n"
      "free_disk_percent = 0\n\n"
      "[sources.app]\n"
      "type  = \"file\"\n"
      "paths = [{}]\n\n"
      "[sinks.archive]\n"
      "type        = \"directory\"\n"
      "path        = {}\n"
      "prefix      = \"!{{timestamp:yyyy/MM/dd/HH}}/\"\n"
      "compression = \"zstd\"\n"
      "batch       = {{ max_size = \"256KiB\", max_age = \"1s\" }}\n"
      "encrypt     = {{ age = [\"{}\"] }}\n",
      quoted("buffer"), quoted("status.sock"),
      config::quote(quote_glob(directory) + "/log/app.log*"), quoted("objects"),
      recipient.to_string());
}

Status expect_success(int code, std::string_view what) {
  if (code == 0) return {};
  return fail(ErrorCode::kIo, "{}: the agent ended with code {}", what, code);
}

Status write_file(const std::string& path, std::string_view content) {
  EH_ASSIGN(const FileDescriptor file, open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return write_all(file.get(), content, path);
}

}  // namespace

DemoRun::DemoRun(DemoPlan plan, Clock& clock)
    : plan_(std::move(plan)), clock_(clock), agent_(below("edgehose.toml"), agent_log()) {
  line_.run = "DEMO";
  line_.bytes = gateway::Bytes::kUtf8;
}

Result<DemoReport> DemoRun::run() {
  EH_TRY(prepare());
  const double seconds = std::chrono::duration<double>(plan_.logging).count();
  const double rate = static_cast<double>(plan_.lines) / seconds;
  line_.lines_per_second = rate;
  const std::uint64_t rotate_every = std::max<std::uint64_t>(1, plan_.lines / kRotations);
  EH_ASSIGN(DemoLog log, DemoLog::begin({below("log"), plan_.lines, rate, rotate_every, line_}));
  begin_ = clock_.now();
  say(fmt::format("A gateway logs {} lines a second, rotated every {} lines.",
                  format_count(static_cast<std::uint64_t>(rate)), format_count(rotate_every)));
  EH_TRY(log_through_a_crash(log));
  EH_TRY(drain());
  DemoReport report;
  report.took = elapsed();
  report.lines = log.lines();
  report.log_bytes = log.bytes();
  report.written = agent_.written();
  EH_ASSIGN(report.proof, prove_delivery(below("objects"), *identity_, line_, log.lines()));
  return report;
}

Status DemoRun::prepare() {
  for (const char* name : {"log", "buffer", "objects"}) EH_TRY(make_directories(below(name), 0750));
  EH_ASSIGN(identity_, AgeIdentity::generate());
  std::string secret = identity_->to_string() + "\n";
  const Status kept = write_file(below("identity.txt"), secret);
  ::explicit_bzero(secret.data(), secret.size());
  EH_TRY(kept);
  return write_file(below("edgehose.toml"), config_text(plan_.directory, identity_->recipient()));
}

Status DemoRun::log_through_a_crash(DemoLog& log) {
  say("edgehose follows the log into its buffer on disk (LMDB). What is safe",
      "there leaves it compressed (zstd) and encrypted (age), as objects.");
  EH_TRY(agent_.start());
  EH_TRY(log_on(log, kNever, plan_.lines / 2));
  EH_TRY(agent_runs());
  agent_.send(SIGKILL);
  say("kill -9: the agent is gone in the middle of it. The gateway logs on.");
  EH_TRY(log_on(log, clock_.now() + plan_.logging / 10, plan_.lines));
  if (!agent_.ended()) return fail(ErrorCode::kIo, "the agent outlives SIGKILL");
  EH_TRY(agent_.start());
  say("edgehose is started again, and goes on where its buffer says it was.");
  return log_on(log, kNever, plan_.lines);
}

Status DemoRun::drain() {
  say("The gateway is done. The agent is told to stop, and does so at once:",
      "what it has is safe. \"run --once\" delivers what is left, and ends.");
  EH_TRY(agent_runs());
  agent_.send(SIGTERM);
  EH_ASSIGN(const int stopped, await_end(kStopLimit, "stopping"));
  // On a slow machine it may not have come so far that it catches the signal: no harm either.
  if (stopped != 128 + SIGTERM) EH_TRY(expect_success(stopped, "stopping"));
  EH_TRY(agent_.start({"--once", "--timeout", "2m"}));
  EH_ASSIGN(const int drained, await_end(kDrainLimit + kStopLimit, "\"run --once\""));
  return expect_success(drained, "\"run --once\"");
}

Status DemoRun::log_on(DemoLog& log, Instant until, std::uint64_t lines) {
  while (log.lines() < lines && clock_.now() < until) {
    EH_TRY(log.write_due(elapsed()));
    EH_TRY(rest());
  }
  return {};
}

Result<int> DemoRun::await_end(Duration limit, const std::string& what) {
  const Instant end = clock_.now() + limit;
  std::optional<int> code;
  while (!(code = agent_.ended())) {
    EH_TRY(rest());
    if (clock_.now() > end)
      return fail(ErrorCode::kIo, "{} took the agent longer than {}", what, format_duration(limit));
  }
  return *code;
}

Status DemoRun::rest() const {
  if (plan_.interrupted != nullptr && plan_.interrupted())
    return fail(ErrorCode::kCancelled, "interrupted");
  clock_.wait({}, clock_.now() + kStep);
  return {};
}

Status DemoRun::agent_runs() {
  const auto code = agent_.ended();
  if (!code) return {};
  return fail(ErrorCode::kIo, "the agent ended by itself, with code {}", *code);
}

// A line of the story, with the time since it began; where it does not fit, two.
void DemoRun::say(std::string_view first, std::string_view second) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed()).count();
  fmt::print("  {:02}:{:02}  {}\n", seconds / 60, seconds % 60, first);
  if (!second.empty()) fmt::print("         {}\n", second);
  std::fflush(stdout);
}

}  // namespace edgehose
