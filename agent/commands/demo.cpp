// edgehose demo: the agent at work on a log of its own making, through a crash, with the proof that
// each line arrived once.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "agent/base/file.h"
#include "agent/base/text.h"
#include "agent/commands/demo_place.h"
#include "agent/commands/demo_run.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLines = 200'000, kFewestLines = 1000, kMostLines = 2'000'000;
constexpr Duration kLogging = 10s, kShortest = 2s, kLongest = 10min;

// What a demo takes of the disk: the log and the objects by the line, and a buffer of few batches.
constexpr std::uint64_t kBytesOfLine = 180, kBytesOfBuffer = 10 << 20;
constexpr std::uint64_t disk_bytes(std::uint64_t lines) {
  return kBytesOfBuffer + lines * kBytesOfLine;
}

volatile std::sig_atomic_t caught = 0;

// Signals that end a program, except those that its parent had ignored (nohup).
void catch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = [](int number) { caught = number; };
    ::sigaction(signal, &action, nullptr);
  }
  ::signal(SIGPIPE, SIG_IGN);  // a reader that leaves shows when it is written to
}

// As if nothing had been caught, so that a shell knows why it ended.
void die_of(int signal) {
  std::fflush(stdout);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

struct Wish {
  std::optional<std::uint64_t> lines;
  Duration logging = kLogging;
  bool keep = false;
};

tl::expected<Wish, std::string> read_wish(const Invocation& invocation) {
  Wish wish;
  wish.keep = invocation.has("keep");
  if (const auto text = invocation.value("lines")) {
    const auto lines = parse_number(*text);
    if (!lines || *lines < kFewestLines || *lines > kMostLines)
      return tl::unexpected(
          fmt::format("--lines {} is not a number from {} to {}", *text, kFewestLines, kMostLines));
    wish.lines = lines;
  }
  if (const auto text = invocation.value("duration")) {
    const auto duration = parse_duration(*text);
    if (!duration || *duration < kShortest || *duration > kLongest)
      return tl::unexpected(fmt::format("--duration {} is not from {} to {}: 10s, 1m", *text,
                                        format_duration(kShortest), format_duration(kLongest)));
    wish.logging = *duration;
  }
  return wish;
}

// As many as wished; without a wish, as many as there is room for.
Result<std::uint64_t> choose_lines(const Wish& wish, const DemoPlace& place) {
  constexpr std::uint64_t kRound = 1000, kWorthIt = 10'000;
  std::uint64_t lines = wish.lines.value_or(kLines);
  if (disk_bytes(lines) <= place.room()) return lines;
  const std::uint64_t fit =
      (place.room() - std::min(place.room(), kBytesOfBuffer)) / kBytesOfLine / kRound * kRound;
  if (!wish.lines && fit >= kWorthIt) return fit;
  return fail(ErrorCode::kFull,
              "{} lines take {} in {}, and {} are there{}: {}TMPDIR=DIRECTORY says where else to "
              "work",
              format_count(wish.lines ? lines : kWorthIt),
              format_size(disk_bytes(wish.lines ? lines : kWorthIt)),
              parent_directory(place.path()), format_size(place.room()),
              place.in_memory() ? " to spare in memory" : "",
              fit >= kFewestLines ? fmt::format("--lines {} fits; ", fit) : "");
}

void row(std::string_view name, const std::string& value, const std::string& note = {}) {
  fmt::print("    {:<28} {:>14}{}{}\n", name, value, note.empty() ? "" : "  ", note);
}

void print_report(const DemoReport& report, const DemoPlace& place) {
  const DemoProof& proof = report.proof;
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  fmt::print("\n  Decrypted, decompressed and compared with the log, byte for byte:\n\n");
  row("lines logged", format_count(report.lines));
  row("lines arrived", format_count(proof.arrived));
  row("missing", format_count(proof.missing));
  row("arrived twice", format_count(proof.doubled));
  row("changed", format_count(proof.changed));
  fmt::print("\n");
  row("the log", format_size(report.log_bytes));
  row("delivered", format_size(proof.bytes),
      fmt::format("{}, {:.1f} times smaller", format_count(proof.objects, "object"),
                  ratio(report.log_bytes, proof.bytes)));
  if (report.written && !place.in_memory())
    row("written to disk by edgehose", format_size(*report.written),
        fmt::format("{:.2f} bytes for each of the log", ratio(*report.written, report.log_bytes)));
  else
    row("written to disk by edgehose", "-",
        place.in_memory() ? "it works in memory here" : "the kernel does not tell");
  row("time", fmt::format("{:.0f} s", std::chrono::duration<double>(report.took).count()));
}

void print_next_steps() {
  struct stat info {};
  const bool systemd = ::stat("/run/systemd/system", &info) == 0;
  fmt::print(
      "\n  Every line arrived exactly once.\n\n"
      "  What next, on this device:\n"
      "    edgehose config example   proposes a config for what is logged here; it\n"
      "                              belongs in /etc/edgehose/edgehose.toml\n"
      "    edgehose check            says what that config reads, ships and needs\n"
      "    {}\n",
      systemd ? "systemctl enable --now edgehose"
              : "edgehose run              runs it in the foreground");
}

// The last lines of what the agent said, on standard error.
void tell_agent_log(const std::string& path) {
  constexpr std::size_t kMostBytes = 1 << 20, kTold = 15;
  const auto text = read_file(path, kMostBytes);
  if (!text || text->empty()) return;
  std::size_t begin = text->size() - 1;
  for (std::size_t told = 0; told < kTold && begin != std::string::npos && begin > 0; ++told)
    begin = text->rfind('\n', begin - 1);
  begin = begin == std::string::npos || begin == 0 ? 0 : begin + 1;
  fmt::print(stderr, "The agent's last lines:\n{}", std::string_view(*text).substr(begin));
}

int demonstrate(const Wish& wish, std::uint64_t lines, DemoPlace& place) {
  if (wish.keep) place.keep();
  const auto clock = make_system_clock();
  const auto interrupted = [] { return caught != 0 || std::ferror(stdout) != 0; };
  DemoRun run({place.path(), lines, wish.logging, interrupted}, *clock);
  const auto report = run.run();
  if (!report) {
    if (report.error().code == ErrorCode::kCancelled) return kExitFailed;
    if (report.error().code == ErrorCode::kCorrupt) place.keep();
    const int code = failed(report.error());
    tell_agent_log(run.agent_log());
    return code;
  }
  print_report(*report, place);
  if (report->proof.exactly_once()) {
    print_next_steps();
    return kExitOk;
  }
  place.keep();
  complain("not every line arrived exactly once: this is a defect");
  tell_agent_log(run.agent_log());
  return kExitFailed;
}

int demo(const Invocation& invocation) {
  const auto wish = read_wish(invocation);
  if (!wish) return usage_error("demo", wish.error());
  catch_signals();
  int code = kExitFailed;
  {
    auto place = DemoPlace::make();
    if (!place) return failed(place.error());
    const auto lines = choose_lines(*wish, *place);
    if (!lines) return failed(lines.error());
    fmt::print("edgehose demo: {} log lines, through a crash, each exactly once\n\n",
               format_count(*lines));
    fmt::print("  It works in {}{}\n  and takes about {} there. {}\n\n", place->path(),
               place->in_memory() ? " (in memory)" : "", format_size(disk_bytes(*lines)),
               wish->keep ? "All of it is kept." : "All of it is removed at the end.");
    code = demonstrate(*wish, *lines, *place);
    if (place->kept()) fmt::print("\n  Kept: {}\n", place->path());
  }
  if (caught != 0) die_of(caught);
  return code;
}

}  // namespace

Command demo_command() {
  return {.name = "demo",
          .arguments = "",
          .summary = "shows edgehose at work here, through a crash, with proof",
          .description =
              "Writes a log as a gateway would, rotates it, follows it with an agent of its\n"
              "own, kills that one with SIGKILL half-way and starts it again. Then it opens\n"
              "what was delivered, compressed and encrypted, and compares it with what was\n"
              "logged, line by line.\n"
              "\n"
              "It takes half a minute, needs no root, no network and no config, and works in\n"
              "a directory of its own below $TMPDIR, or /var/tmp, which it removes at the end.\n"
              "An agent that runs on this device is not touched.",
          .options = {{"lines", "N",
                       "How many lines are logged, 1000 to 2000000 (default: 200000, or as many as "
                       "there is room for)"},
                      {"duration", "DURATION", "How long the logging takes (default: 10s)"},
                      {"keep", "",
                       "Leaves the directory: config, log, buffer, objects, key, the agent's log"}},
          .examples =
              "edgehose demo\n"
              "edgehose demo --keep              # to look at what was written\n"
              "TMPDIR=/media/usb edgehose demo   # on that disk",
          .exit_codes =
              "0  every line arrived exactly once\n"
              "1  one did not, which is a defect: all is kept; or it could not be tried\n"
              "2  the command line is wrong",
          .run = demo};
}

}  // namespace edgehose
