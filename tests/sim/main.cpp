// Simulated lives of the agent, from seeds. A seed that fails is told, with the fewest steps that
// fail as it does; `--seed N` runs it again.
//
//   edgehose_sim --seeds 10000 [--from N | --random] [--jobs N] [--steps N] [--no-shrink]
//   edgehose_sim --seed N [--trace]               also the agent's log of the fewest steps
//   edgehose_sim --bug loses|doubles|leaves --seeds N   must find it: exit code 0 where it does;
//   one
//                                                 seed that does is told as a failure is
//
// Exit codes: 0 all held; 1 one did not; 2 the command line is wrong.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "tests/sim/world.h"

namespace edgehose::sim {
namespace {

struct Options {
  std::uint64_t from = 1, seeds = 100;
  unsigned steps = 400, jobs = 1;
  bool trace = false, shrink = true;
  Bug bug = Bug::kNone;
};

std::string make_directory() {
  std::string name = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  name += "/edgehose-sim-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    fmt::print(stderr, "sim: no directory can be made in memory\n");
    std::exit(2);
  }
  return name;
}

// What did not hold; none: all did.
std::optional<std::string> run(const Plan& plan, Bug bug) {
  const std::string directory = make_directory();
  std::optional<std::string> failure;
  try {
    World(plan.setup, directory, bug).run(plan.ops);
  } catch (const Broken& broken) {
    failure = broken.what;
  }
  std::filesystem::remove_all(directory);
  return failure;
}

// In a process of its own, which may crash.
std::optional<std::string> run_apart(const Plan& plan, Bug bug) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto failure = run(plan, bug);
    const std::string text = failure.value_or("");
    if (::write(pipe_ends[1], text.data(), text.size()) < 0) ::_exit(3);
    ::_exit(failure ? 1 : 0);
  }
  ::close(pipe_ends[1]);
  std::string text(4096, '\0');
  const ssize_t length = ::read(pipe_ends[0], text.data(), text.size());
  text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("it crashed with signal {}", WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return std::nullopt;
  return text;
}

// What two failures of one kind have in common: their words, not their numbers.
std::string kind_of(const std::string& failure) {
  std::string kind;
  for (const char c : failure)
    if (c < '0' || c > '9') kind += c;
  return kind.substr(0, 40);
}

// Leaves out steps, half of them first, as long as it fails in the same way.
Plan shrunk(Plan plan, const std::string& failure, Bug bug) {
  for (std::size_t piece = plan.ops.size() / 2; piece > 0; piece /= 2)
    for (std::size_t at = 0; at < plan.ops.size();) {
      Plan less = plan;
      const std::size_t end = std::min(at + piece, plan.ops.size());
      less.ops.erase(less.ops.begin() + static_cast<std::ptrdiff_t>(at),
                     less.ops.begin() + static_cast<std::ptrdiff_t>(end));
      const auto again = run_apart(less, bug);
      if (again && kind_of(*again) == kind_of(failure))
        plan = std::move(less);
      else
        at = end;
    }
  return plan;
}

void tell(std::uint64_t seed, const Options& options, const std::string& failure) {
  fmt::print("seed {} (--seed {} --steps {}): {}\n", seed, seed, options.steps, failure);
  std::fflush(stdout);
  if (!options.shrink) return;
  const Plan least = shrunk(plan_of(seed, options.steps), failure, options.bug);
  fmt::print("the fewest steps that do it ({}): {}\n{}", least.ops.size(),
             run_apart(least, options.bug).value_or("not again"), to_text(least));
  std::fflush(stdout);
  if (!options.trace) return;
  log::set_level(log::Level::kDebug);
  run(least, options.bug);
}

// One job's share; true: all held.
bool run_share(const Options& options, unsigned job) {
  bool good = true;
  for (std::uint64_t i = job; i < options.seeds; i += options.jobs) {
    const std::uint64_t seed = options.from + i;
    const auto failure = run_apart(plan_of(seed, options.steps), options.bug);
    if (!failure) continue;
    good = false;
    if (options.bug == Bug::kNone || options.seeds == 1) tell(seed, options, *failure);
  }
  return good;
}

bool run_all(const Options& options) {
  std::vector<pid_t> children;
  for (unsigned job = 0; job < options.jobs; ++job) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(run_share(options, job) ? 0 : 1);
    children.push_back(child);
  }
  bool good = true;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return good;
}

std::optional<Bug> bug_of(std::string_view name) {
  if (name == "loses") return Bug::kLoses;
  if (name == "doubles") return Bug::kDoubles;
  if (name == "leaves") return Bug::kLeaves;
  return std::nullopt;
}

std::optional<Options> read_options(std::span<char*> words) {
  Options options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--trace") {
      options.trace = true;
      continue;
    }
    if (word == "--no-shrink") {
      options.shrink = false;
      continue;
    }
    if (word == "--random") {
      options.from = std::random_device{}();
      continue;
    }
    if (++i == words.size()) return std::nullopt;
    const std::string_view value = words[i];
    if (word == "--bug") {
      const auto bug = bug_of(value);
      if (!bug) return std::nullopt;
      options.bug = *bug;
      continue;
    }
    const auto number = parse_number(value);
    if (!number) return std::nullopt;
    if (word == "--seed")
      options.from = *number, options.seeds = 1;
    else if (word == "--seeds")
      options.seeds = *number;
    else if (word == "--from")
      options.from = *number;
    else if (word == "--steps")
      options.steps = static_cast<unsigned>(*number);
    else if (word == "--jobs" && *number > 0)
      options.jobs = static_cast<unsigned>(*number);
    else
      return std::nullopt;
  }
  return options;
}

int simulate(std::span<char*> words) {
  const auto options = read_options(words);
  if (!options) {
    fmt::print(stderr, "sim: see the head of tests/sim/main.cpp for the options\n");
    return 2;
  }
  log::set_level(log::Level::kOff);
  // LMDB clears 2 MB at each opening: in fresh pages, which are clear until they are touched.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  const bool good = run_all(*options);
  if (options->bug != Bug::kNone) {
    fmt::print("{}\n", good ? "the bug was not found" : "the bug was found");
    return good ? 1 : 0;
  }
  fmt::print("{} seeds from {}: {}\n", options->seeds, options->from,
             good ? "all held" : "not all held");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace edgehose::sim

int main(int argc, char** argv) {
  return edgehose::sim::simulate({argv, static_cast<std::size_t>(argc)});
}
