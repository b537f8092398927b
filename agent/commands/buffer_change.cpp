// edgehose buffer forget, confirm, upgrade: what changes the buffer by hand, beside a running agent
// or without.
#include <algorithm>
#include <functional>
#include <optional>

#include "agent/base/text.h"
#include "agent/commands/layout.h"
#include "agent/commands/load.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/table.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print("{}", wrapped(fmt::format(format, std::forward<Args>(args)...), 0));
}

// What all of them end with: told always, done only with --yes.
int with_yes(const Invocation& invocation, std::string_view command, const ControlChange& change) {
  if (invocation.has("yes")) return make_changes(invocation, {change});
  std::string line = fmt::format("edgehose {}", command);
  if (const auto config = invocation.value("config")) line += " --config " + *config;
  for (const std::string& set : invocation.values("set")) line += fmt::format(" --set '{}'", set);
  for (const std::string& word : invocation.words) line += " " + word;
  if (const auto source = invocation.value("source")) line += " --source " + *source;
  if (invocation.has("positions")) line += " --positions";
  fmt::print("Nothing was changed. To do it:\n  {} --yes\n", line);
  return kExitUsage;
}

// --- forget --------------------------------------------------------------------------------------

Result<Counter> backlog_of(Store& store, const std::function<bool(const LaneKey&)>& matches) {
  EH_ASSIGN(const auto lanes, store.lanes());
  Counter backlog;
  for (const LaneState& lane : lanes)
    if (matches(lane.key)) backlog += lane.buffered();
  return backlog;
}

// Nobody goes on with them, and who aborts them, once nothing is known of them, is a person.
Status tell_uploads(Store& store, const std::function<bool(const LaneKey&)>& matches) {
  EH_ASSIGN(const auto claims, store.claims());
  for (const Claim& claim : claims)
    if (matches(claim.lane) && claim.upload)
      say("An upload in parts has begun and stays at the destination until somebody aborts it: key "
          "{}, upload id {}.",
          printable(claim.key), printable(claim.upload.id));
  return {};
}

// How many claims of such lanes are given up, in words.
Result<std::string> under_way(Store& store, const std::function<bool(const LaneKey&)>& matches) {
  EH_ASSIGN(const auto claims, store.claims());
  if (!store.keys_fit()) return "batches that are under way (encrypted: not counted) are given up";
  const auto claimed =
      std::ranges::count_if(claims, [&](const Claim& c) { return !c.done && matches(c.lane); });
  return format_count(static_cast<std::uint64_t>(claimed), "batch that is under way is",
                      "batches that are under way are") +
         " given up";
}

Status tell_sink(Store& store, const std::string& name, const ChangeContext& context) {
  EH_ASSIGN(const SinkState sink, sink_to_forget(store, name));
  const auto of_sink = [&](const LaneKey& key) { return key.sink == sink.id; };
  EH_ASSIGN(const Counter backlog, backlog_of(store, of_sink));
  EH_ASSIGN(const std::string claimed, under_way(store, of_sink));
  say("Sink {}: {} ({}) would not be delivered by it; {}.", name,
      format_count(backlog.records, "record"), format_size(backlog.bytes), claimed);
  EH_TRY(tell_uploads(store, of_sink));
  if (context.has_sink(name))
    say("It is in the config: a running agent refuses; at the next start it begins anew, and what "
        "it delivered and is still buffered may be delivered twice.");
  return {};
}

Status tell_source(Store& store, const std::string& name, const ChangeContext& context) {
  EH_ASSIGN(const SourceState source, source_to_forget(store, name));
  EH_ASSIGN(const Counter backlog,
            backlog_of(store, [&](const LaneKey& key) { return key.source == source.id; }));
  say("Source {}: its blocks and cursors are dropped; {} ({}) that sinks still wait for would be "
      "lost, counted as forgotten. Positions belong to files and stay.",
      name, format_count(backlog.records, "record"), format_size(backlog.bytes));
  if (context.has_source(name))
    say("It is in the config: a running agent refuses; at the next start it goes on where its "
        "files were read to.");
  return {};
}

Status tell_lane(Store& store, const std::string& sink, const std::string& source,
                 const ChangeContext& context) {
  EH_ASSIGN(const LaneState lane, find_lane(store, sink, source));
  const auto of_lane = [&](const LaneKey& key) { return key == lane.key; };
  EH_ASSIGN(const std::string claimed, under_way(store, of_lane));
  const Counter waits = lane.buffered();
  say("Sink {}: {} ({}) of source {} would not be delivered by it; {}. Other sinks and sources "
      "keep theirs.",
      sink, format_count(waits.records, "record"), format_size(waits.bytes), source, claimed);
  EH_TRY(tell_uploads(store, of_lane));
  if (context.takes(sink, source)) {
    say("The sink takes the source in the config: a running agent refuses; without one they are "
        "counted as dropped (forgotten), and the sink goes on with what comes then.");
    return {};
  }
  EH_ASSIGN(const auto lanes, store.lanes());
  const auto over = std::ranges::count_if(
      lanes, [&](const LaneState& other) { return other.key.source == lane.key.source; });
  if (over == 1)
    say("No other sink has a cursor over the source: its blocks stay until one takes them, or "
        "until 'edgehose buffer forget --source {}'.",
        source);
  return {};
}

constexpr std::size_t kPositionsTold = 10;

Status tell_positions(Store& store, const ChangeContext& context) {
  std::vector<std::string> paths;
  std::uint64_t count = 0;
  EH_TRY(store.for_each_file([&](FileId, const FileState& file) {
    if (context.reaches(file.path)) return;
    if (++count <= kPositionsTold) paths.push_back(printable(file.path));
  }));
  say("{} of files that no source in the config can reach{}",
      format_count(count, "position is", "positions are"), count == 0 ? "." : ":");
  for (const std::string& path : paths) fmt::print("  {}", wrapped(path, 2));
  if (count > paths.size()) fmt::print("  and {} more\n", format_count(count - paths.size()));
  if (count > 0) say("If a source names one of them again, it is read by that source's start_at.");
  return {};
}

// What is to be forgotten: what is said of it, and the change that does it.
struct Forgetting {
  std::function<Status(Store&, const ChangeContext&)> tell;
  ControlChange change;
};

// Of a sink, a source, or what the one waits for of the other; without both: positions.
Forgetting forgetting(const std::optional<std::string>& sink,
                      const std::optional<std::string>& source) {
  if (sink && source)
    return {[=](Store& s, const ChangeContext& c) { return tell_lane(s, *sink, *source, c); },
            ForgetLane{*sink, *source}};
  if (source)
    return {[=](Store& s, const ChangeContext& c) { return tell_source(s, *source, c); },
            ForgetSource{*source}};
  if (sink)
    return {[=](Store& s, const ChangeContext& c) { return tell_sink(s, *sink, c); },
            ForgetSink{*sink}};
  return {tell_positions, ForgetPositions{}};
}

int buffer_forget(const Invocation& invocation) {
  const auto source = invocation.value("source");
  const bool positions = invocation.has("positions");
  const bool sink = !invocation.words.empty();
  if (positions ? source || sink : !source && !sink)
    return usage_error("buffer forget",
                       "name what to forget: a sink, --source NAME, both (what that sink did not "
                       "deliver of that source), or --positions");
  // Which positions can be reached, every path of every source says.
  const OpenedBuffer opened =
      open_for_reading(invocation, positions ? Needs::kValues : Needs::kBuffer);
  if (opened.store == nullptr) return opened.code;
  if (const Status opens = opened.opens_what_is_sealed(); positions && !opens)
    return failed(opens.error());
  const Forgetting forget =
      forgetting(sink ? std::optional(invocation.words[0]) : std::nullopt, source);
  const Status told = forget.tell(*opened.store, change_context(opened.config->config, false));
  return told ? with_yes(invocation, "buffer forget", forget.change) : failed(told.error());
}

// --- confirm -------------------------------------------------------------------------------------

int buffer_confirm(const Invocation& invocation) {
  const std::string& name = invocation.words[0];
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto sink = find_sink(*opened.store, name);
  if (!sink) return failed(sink.error());
  if (sink->note.empty()) {
    say("Sink {} has nothing to confirm: its next delivery takes the destination that it finds.",
        name);
    return kExitOk;
  }
  say("Sink {}: the next delivery takes the destination that it finds then as the right one.",
      name);
  return with_yes(invocation, "buffer confirm", ConfirmSink{name});
}

// --- upgrade -------------------------------------------------------------------------------------

int buffer_upgrade(const Invocation& invocation) {
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const StoreFormat format = opened.store->format();
  if (!format.old()) {
    say("The buffer has format {} already: nothing to do.", format.version);
    return kExitOk;
  }
  say("The buffer has format {}; an upgrade makes it {}:", format.version, format.newest);
  for (const std::string& gain : format.adds) fmt::print("  {}\n", wrapped(gain, 2));
  if (format.closes)
    say("There is no way back: a release that does not know format {} sets the buffer aside from "
        "then on, and goes on with an empty one.",
        format.newest);
  else
    say("There is no way back to {}: an older release reads the buffer all the same, and loses of "
        "it what it does not know.",
        format.version);
  return with_yes(invocation, "buffer upgrade", UpgradeBuffer{});
}

constexpr std::string_view kChangeCodes =
    "0  done\n"
    "1  it failed: there is no such name, or the running agent needs it; the\n"
    "   message says which\n"
    "2  --yes is missing: nothing was changed; or a wrong command line or config";

}  // namespace

Command buffer_forget_command() {
  return {.name = "buffer forget",
          .arguments = "[SINK] [--source NAME] [--positions]",
          .summary = "retires a sink's cursor, a source or positions for good",
          .description =
              "A sink that left the config still has its cursor, and the buffer keeps what it\n"
              "did not deliver (it yields first when the buffer is full). This retires it.\n"
              "With a sink and --source only what that sink did not deliver of that source\n"
              "goes: after the source left the sink's inputs, or, while no agent runs, to skip\n"
              "a backlog (counted as dropped: forgotten).\n"
              "With --source alone a source's blocks and cursors go. Positions in files stay,\n"
              "so nothing is read twice. With --positions those go that belong to files\n"
              "outside the directories of every source in the config.\n"
              "\n"
              "Without --yes it only says what would happen. A running agent is asked to do\n"
              "it (as root or its user); it refuses for what is in its config.",
          .options = {{"source", "NAME", "Forgets a source, or of the sink only this source"},
                      {"positions", "", "Forgets positions of files that no source can reach"},
                      {"yes", "", "Does it"}},
          .examples =
              "edgehose buffer forget old-archive\n"
              "edgehose buffer forget archive --source app\n"
              "edgehose buffer forget old-archive --yes",
          .exit_codes = kChangeCodes,
          .max_words = 1,
          .run = buffer_forget};
}

Command buffer_confirm_command() {
  return {.name = "buffer confirm",
          .arguments = "SINK",
          .summary = "forgets what a sink has learned of its destination",
          .description =
              "A directory sink records which file system it delivered to, and is parked\n"
              "where another one, or a bare mount point, is at its path. This accepts: the\n"
              "next delivery records the file system that it finds. Of an S3 sink it forgets\n"
              "the bucket's region, of search and Splunk sinks which size was too large.\n"
              "\n"
              "Without --yes it only says what would happen. A running agent is asked to do\n"
              "it (as root or its user), and goes on within seconds.",
          .options = {{"yes", "", "Does it"}},
          .examples = "edgehose buffer confirm archive --yes",
          .exit_codes = kChangeCodes,
          .min_words = 1,
          .max_words = 1,
          .run = buffer_confirm};
}

Command buffer_upgrade_command() {
  return {.name = "buffer upgrade",
          .arguments = "",
          .summary = "raises the buffer to the format of this release",
          .description =
              "A buffer keeps the format that it was made with, so that the release before\n"
              "this one can go on with it. What a later format adds is written only after\n"
              "this. Run it once you are sure that you will not go back.\n"
              "\n"
              "Without --yes it only says what it would give and cost. A running agent is\n"
              "asked to do it (as root or its user).",
          .options = {{"yes", "", "Does it"}},
          .examples =
              "edgehose buffer upgrade\n"
              "edgehose buffer upgrade --yes",
          .exit_codes = kChangeCodes,
          .run = buffer_upgrade};
}

}  // namespace edgehose
