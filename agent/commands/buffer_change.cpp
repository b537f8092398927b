// edgehose buffer forget, confirm: what changes the buffer by hand. The agent must be stopped.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/load.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

// What both commands end with: shown always, done only with --yes.
int ask_for_yes(const Invocation& invocation, std::string_view command) {
  std::string line = fmt::format("edgehose {}", command);
  for (const std::string& word : invocation.words) line += " " + word;
  if (const auto source = invocation.value("source")) line += " --source " + *source;
  fmt::print("Nothing was changed. To do it, stop the agent and say: {} --yes\n", line);
  return kExitUsage;
}

OpenedBuffer open_for(const Invocation& invocation) {
  return invocation.has("yes") ? open_for_writing(invocation) : open_for_reading(invocation);
}

template <class State>
Result<State> find_named(const std::vector<State>& states, const std::string& name,
                         std::string_view kind) {
  std::vector<std::string_view> names;
  for (const State& state : states) {
    if (state.name == name) return state;
    names.push_back(state.name);
  }
  const auto near = nearest(name, names);
  return fail(ErrorCode::kNotFound, "the buffer knows no {} \"{}\"{}", kind, name,
              near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

bool has_component(const std::vector<Component>& components, const std::string& name) {
  return std::any_of(components.begin(), components.end(),
                     [&](const Component& c) { return c.name == name; });
}

Status change(Store& store, const std::function<Status(Store::Transaction&)>& work) {
  {
    EH_ASSIGN(const auto transaction, store.begin());
    EH_TRY(work(*transaction));
    EH_TRY(transaction->commit());
  }
  return store.close();
}

// --- forget --------------------------------------------------------------------------------------

Result<Counter> backlog_of(Store& store, const std::function<bool(const LaneKey&)>& matches) {
  EH_ASSIGN(const auto lanes, store.lanes());
  Counter backlog;
  for (const LaneState& lane : lanes)
    if (matches(lane.key)) backlog += lane.buffered();
  return backlog;
}

Result<int> forget_sink(const Invocation& invocation, Store& store, const Config& config) {
  const std::string& name = invocation.words[0];
  EH_ASSIGN(const auto sinks, store.sinks());
  EH_ASSIGN(const SinkState sink, find_named(sinks, name, "sink"));
  EH_ASSIGN(const Counter backlog,
            backlog_of(store, [&](const LaneKey& key) { return key.sink == sink.id; }));
  EH_ASSIGN(const auto claims, store.claims());
  const auto claimed = std::count_if(claims.begin(), claims.end(),
                                     [&](const Claim& c) { return c.lane.sink == sink.id; });
  fmt::print(
      "Sink {}: {} records ({}) would not be delivered by it; {} requests under way are given up.\n",
      name, format_count(backlog.records), format_size(backlog.bytes), claimed);
  if (has_component(config.sinks, name))
    fmt::print(
        "It is in the config: at the next start it begins anew, and what it delivered and is still\n"
        "buffered may be delivered twice.\n");
  if (!invocation.has("yes")) return ask_for_yes(invocation, "buffer forget");
  EH_TRY(change(store, [&](Store::Transaction& t) { return t.forget_sink(sink.id); }));
  fmt::print("Forgotten.\n");
  return kExitOk;
}

Result<int> forget_source(const Invocation& invocation, Store& store, const Config& config) {
  const std::string name = *invocation.value("source");
  EH_ASSIGN(const auto sources, store.sources());
  EH_ASSIGN(const SourceState source, find_named(sources, name, "source"));
  EH_ASSIGN(const Counter backlog,
            backlog_of(store, [&](const LaneKey& key) { return key.source == source.id; }));
  fmt::print(
      "Source {}: its blocks and cursors are dropped; {} records ({}) that sinks still wait for\n"
      "are lost, counted as forgotten. Positions belong to files and stay.\n",
      name, format_count(backlog.records), format_size(backlog.bytes));
  if (has_component(config.sources, name))
    fmt::print("It is in the config: at the next start it goes on where its files were read to.\n");
  if (!invocation.has("yes")) return ask_for_yes(invocation, "buffer forget");
  EH_TRY(change(store, [&](Store::Transaction& t) { return t.forget_source(source.id); }));
  fmt::print("Forgotten.\n");
  return kExitOk;
}

int buffer_forget(const Invocation& invocation) {
  const bool source = invocation.has("source");
  if (source != invocation.words.empty())
    return usage_error("buffer forget", "name one thing to forget: a sink, or --source NAME");
  const OpenedBuffer opened = open_for(invocation);
  if (opened.store == nullptr) return opened.code;
  const Config& config = opened.config->config;
  const auto code = source ? forget_source(invocation, *opened.store, config)
                           : forget_sink(invocation, *opened.store, config);
  return code ? *code : failed(code.error());
}

// --- confirm -------------------------------------------------------------------------------------

Result<int> confirm_sink(const Invocation& invocation, Store& store) {
  const std::string& name = invocation.words[0];
  EH_ASSIGN(const auto sinks, store.sinks());
  EH_ASSIGN(SinkState sink, find_named(sinks, name, "sink"));
  if (sink.note.empty()) {
    fmt::print(
        "Sink {} has nothing to confirm: its next delivery takes the destination that it finds.\n",
        name);
    return kExitOk;
  }
  fmt::print(
      "Sink {}: the next delivery takes the destination that it finds then as the right one.\n",
      name);
  if (!invocation.has("yes")) return ask_for_yes(invocation, "buffer confirm");
  sink.note.clear();
  EH_TRY(change(store, [&](Store::Transaction& t) { return t.put_sink(sink); }));
  fmt::print("Confirmed.\n");
  return kExitOk;
}

int buffer_confirm(const Invocation& invocation) {
  const OpenedBuffer opened = open_for(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto code = confirm_sink(invocation, *opened.store);
  return code ? *code : failed(code.error());
}

constexpr std::string_view kChangeCodes =
    "0  done\n"
    "1  it failed: the agent runs (its pid is told), or there is no such name\n"
    "2  --yes is missing: nothing was changed; or a wrong command line or config";

}  // namespace

Command buffer_forget_command() {
  return {.name = "buffer forget",
          .arguments = "SINK | --source NAME",
          .summary = "retires the cursor of a sink, or a source, for good",
          .description =
              "A sink that left the config still has its cursor, and the buffer keeps what it\n"
              "did not deliver (it yields first when the buffer is full). This retires it.\n"
              "With --source a source's blocks and cursors go. Positions in files stay, so\n"
              "nothing is read twice.\n"
              "\n"
              "Without --yes it only says what would happen. With it the agent must be\n"
              "stopped.",
          .options = {{"source", "NAME", "Forgets a source rather than a sink"},
                      {"yes", "", "Does it"}},
          .examples = "edgehose buffer forget old-archive\n"
                      "edgehose buffer forget old-archive --yes",
          .exit_codes = kChangeCodes,
          .max_words = 1,
          .run = buffer_forget};
}

Command buffer_confirm_command() {
  return {.name = "buffer confirm",
          .arguments = "SINK",
          .summary = "accepts another file system at a sink's path",
          .description =
              "A directory sink records which file system it delivered to, and is parked\n"
              "where another one, or a bare mount point, is at its path. This accepts: the\n"
              "next delivery records the file system that it finds.\n"
              "\n"
              "Without --yes it only says what would happen. With it the agent must be\n"
              "stopped.",
          .options = {{"yes", "", "Does it"}},
          .examples = "edgehose buffer confirm archive --yes",
          .exit_codes = kChangeCodes,
          .min_words = 1,
          .max_words = 1,
          .run = buffer_confirm};
}

}  // namespace edgehose
