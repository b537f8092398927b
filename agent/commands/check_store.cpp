#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/service_user.h"
#include "agent/run/agent.h"
#include "agent/run/once.h"
#include "agent/run/registry.h"
#include "agent/run/status_report.h"
#include "agent/run/unix_socket.h"
#include "buffer/device.h"
#include "buffer/set_aside.h"

namespace edgehose {
namespace {

void check_data_dir(const std::string& data_dir, const ServiceUnit& unit, Findings& findings) {
  const std::string there = existing_ancestor(data_dir);
  const std::string user = checked_user(unit);
  struct stat info {};
  if (::stat(there.c_str(), &info) == 0 && !S_ISDIR(info.st_mode))
    return findings.errors.push_back(
        fmt::format("data_dir {}: {} is not a directory", data_dir, there));
  if (const Status fit = refuse_unfit(there); !fit)
    return findings.errors.push_back(fmt::format("data_dir {}: {}", data_dir, fit.error().message));
  if (is_read_only(there).value_or(false))
    return findings.errors.push_back(
        fmt::format("data_dir {} lies on a read-only file system: mount -o remount,rw it, or put "
                    "agent.data_dir elsewhere",
                    data_dir));
  if (!unit.makes(data_dir) && ::access(there.c_str(), W_OK | X_OK) != 0)
    findings.errors.push_back(
        there == data_dir
            ? fmt::format("data_dir {0} cannot be written: chown {1}: {0}", data_dir, user)
            : fmt::format("data_dir {0} cannot be created: install -d -o {1} -m 0750 {0}", data_dir,
                          user));
  tell_read_only("data_dir " + data_dir, data_dir, unit, findings);
  const auto gone_at_reboot = is_volatile(there);
  if (gone_at_reboot && *gone_at_reboot)
    findings.warnings.push_back(
        fmt::format("data_dir {} is in memory: what is buffered is lost with the power", data_dir));
}

// Without it the agent runs, and nobody can ask it.
void check_socket(const AgentConfig& agent, const ServiceUnit& unit, Findings& findings) {
  const bool made_for_it =
      agent.status_socket.empty() && unit.makes(parent_directory(kServiceSocket));
  const std::string path = made_for_it ? kServiceSocket : status_socket_path(agent);
  const std::string directory = parent_directory(path);
  const auto warn = [&](std::string_view what) {
    findings.warnings.push_back(fmt::format(
        "{}: nobody can ask the running agent; `edgehose status` will read the buffer", what));
  };
  if (const auto address = socket_address(path); !address) return warn(address.error().message);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode))
    return warn(fmt::format(
        "the control socket {} cannot be made: what lies there is not a socket: move it away",
        path));
  if (is_at_or_below(directory, "/proc") || is_at_or_below(directory, "/sys"))
    return warn(fmt::format(
        "the control socket {} cannot be made: {} is made up by the kernel and keeps no files",
        path, directory));
  if (is_at_or_below(directory, agent.data_dir) || unit.makes(directory)) return;
  if (::stat(directory.c_str(), &info) != 0)
    warn(fmt::format("the control socket {} cannot be made: {} is not there", path, directory));
  else if (::access(directory.c_str(), W_OK | X_OK) != 0)
    warn(fmt::format("the control socket {} cannot be made: {} cannot write to {}", path,
                     checked_user(unit), directory));
}

// Every write changes the file's time, and ext4 journals that within 5 s: as much again as a small
// commit itself. Figures: tests/bench/README.md.
std::string flash_hint(const Config& config) {
  const auto interval = journal_interval(existing_ancestor(config.agent.data_dir));
  const bool card = commit_profile(config).name == name(StorageProfile::kSdCard);
  if (!card || !interval || *interval >= std::chrono::seconds(60)) return {};
  return "Flash: at a trickle a third of what the buffer costs is ext4's journal. Mounting\n"
         "with commit=300 saves most of it; what other programs have not synced may then\n"
         "be five minutes old after a power cut.\n";
}

std::vector<std::string> orphans(Store& store, const Config& config) {
  std::vector<std::string> out;
  const auto sinks = store.sinks();
  const auto lanes = store.lanes();
  if (!sinks || !lanes) return out;
  for (const SinkState& sink : *sinks) {
    const bool configured = std::any_of(config.sinks.begin(), config.sinks.end(),
                                        [&](const Component& c) { return c.name == sink.name; });
    if (configured) continue;
    Counter backlog;
    for (const LaneState& lane : *lanes)
      if (lane.key.sink == sink.id) backlog += lane.buffered();
    out.push_back(fmt::format(
        "sink {} is not in the config: its {} ({}) yield first when the buffer is full; "
        "retire it with: edgehose buffer forget {}",
        sink.name, format_count(backlog.records, "record"), format_size(backlog.bytes), sink.name));
  }
  return out;
}

std::vector<std::string> stranded(Store& store, const Config& config) {
  std::vector<SinkInputs> sinks;
  for (const Component& sink : config.sinks) sinks.push_back({sink.name, sink_inputs(sink)});
  std::vector<std::string> out;
  const auto ledger = read_ledger(store);
  const auto claims = store.claims();
  if (!ledger || !claims) return out;
  for (const StrandedLane& lane :
       stranded_lanes(sinks, ledger->sinks, ledger->sources, ledger->lanes, *claims))
    out.push_back(lane.text());
  return out;
}

// A limit that was lowered, or that is less by default since data_dir lies on a smaller disk.
void tell_held_beyond(const StoreUsage& usage, WhenFull policy, Findings& findings) {
  if (usage.used <= usage.limit) return;
  const std::string_view then = policy == WhenFull::kBlock
                                    ? "nothing is read until sinks have taken the rest"
                                : policy == WhenFull::kDropOldest
                                    ? "what is beyond it is dropped unless sinks take it at once"
                                    : "what is read is dropped until sinks have taken the rest";
  findings.warnings.push_back(
      fmt::format("the buffer holds {}, more than its limit of {} (buffer.max_size): {}",
                  format_size(usage.used), format_size(usage.limit), then));
}

void tell_format(const Store& store, const std::string& data_dir, Findings& findings) {
  if (const StoreFormat format = store.format(); format.old())
    findings.warnings.push_back(fmt::format(
        "the buffer has format {}, this release writes {}: edgehose buffer upgrade says what that "
        "gives, and that there is no way back",
        format.version, format.newest));
  if (const StoreUsage usage = store.usage(); usage.set_aside > 0)
    findings.warnings.push_back(set_aside_text(usage.set_aside, usage.set_aside_bytes, data_dir));
}

// One that is another release's or machine's is set aside by `run`, as long as there are few.
void tell_unopened(const Error& error, const std::string& data_dir, Findings& findings) {
  if (error.code == ErrorCode::kNotFound) return;
  if (!is_unreadable(error)) return findings.errors.push_back(error.message);
  const std::size_t there = set_aside_buffers(data_dir).size();
  if (there < kMaxSetAside) return findings.warnings.push_back(error.message);
  findings.errors.push_back(fmt::format(
      "{}; but {} buffers are set aside in {} already, and it does not start with more: "
      "have one delivered, or move it away",
      error.message, there, data_dir));
}

// Whether `run` could open the buffer; and a stored block that opens shows that the keys fit.
void check_keys(Store& store, Findings& findings) {
  if (const Status fit = store.keys_fit(); !fit) {
    findings.errors.push_back(fit.error().message);
    return;
  }
  const auto first = store.next_block(SourceId{}, BlockNumber(1));
  if (!first || !*first) return;
  const auto block = store.read((*first)->number);
  if (!block && block.error().code == ErrorCode::kAuth)
    findings.errors.push_back(
        fmt::format("the buffer was encrypted with another key: {}", block.error().message));
}

}  // namespace

StoreCheck check_store(const Config& config, const ServiceUnit& unit, const Clock& clock,
                       Findings& findings) {
  StoreCheck check;
  check_data_dir(config.agent.data_dir, unit, findings);
  check_socket(config.agent, unit, findings);
  std::vector<Error> unread;  // the service has them: a key that nobody has is a wrong config
  const auto options = store_options(config, &unread);
  if (!options) {
    findings.errors.push_back(options.error().message);
    return check;
  }
  check.limit = options->max_size;
  check.hint = flash_hint(config);
  const auto store = Store::open_read_only(*options, clock);
  if (!store) {
    tell_unopened(store.error(), config.agent.data_dir, findings);
    return check;
  }
  check.epoch = (*store)->epoch();
  check.allocated = (*store)->usage().allocated;
  if (const auto first = (*store)->next_block(SourceId{}, BlockNumber(1)))
    check.holds_records = first->has_value();
  if (const auto sinks = (*store)->sinks())
    for (const SinkState& sink : *sinks) check.notes[sink.name] = sink.note;
  check.orphans = orphans(**store, config);
  for (std::string& line : stranded(**store, config)) check.orphans.push_back(std::move(line));
  tell_held_beyond((*store)->usage(), config.buffer.when_full, findings);
  tell_format(**store, config.agent.data_dir, findings);
  if (unread.empty()) check_keys(**store, findings);
  return check;
}

}  // namespace edgehose
