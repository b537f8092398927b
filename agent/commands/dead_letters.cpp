// edgehose dead-letters: records that a sink refused for good.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "agent/base/file.h"
#include "agent/base/text.h"
#include "agent/commands/layout.h"
#include "agent/commands/load.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

struct Names {
  std::map<SinkId, std::string> sinks;
  std::map<SourceId, std::string> sources;

  std::string sink(SinkId id) const { return sinks.contains(id) ? sinks.at(id) : "?"; }
  std::string source(SourceId id) const { return sources.contains(id) ? sources.at(id) : "-"; }
};

Result<Names> read_names(Store& store) {
  Names names;
  EH_ASSIGN(const auto sinks, store.sinks());
  for (const SinkState& sink : sinks) names.sinks[sink.id] = sink.name;
  EH_ASSIGN(const auto sources, store.sources());
  for (const SourceState& source : sources) names.sources[source.id] = source.name;
  return names;
}

// Which letters are meant: --sink, and either words or --all.
struct Selection {
  std::set<std::uint64_t> ids;  // empty: all
  std::optional<std::string> sink;

  bool takes(const DeadLetter& letter, const Names& names) const {
    return (ids.empty() || ids.contains(letter.id)) &&
           (!sink || names.sink(letter.lane.sink) == *sink);
  }
};

Result<Selection> select(const Invocation& invocation, bool all) {
  Selection selection;
  selection.sink = invocation.value("sink");
  for (const std::string& word : invocation.words) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc{} || end != word.data() + word.size())
      return fail(ErrorCode::kInvalid,
                  "\"{}\" is not the number of a dead letter; see edgehose dead-letters list",
                  word);
    selection.ids.insert(id);
  }
  if (selection.ids.empty() && !all)
    return fail(ErrorCode::kInvalid, "name the dead letters by number, or say --all");
  if (!selection.ids.empty() && invocation.has("all"))
    return fail(ErrorCode::kInvalid, "numbers and --all exclude each other");
  return selection;
}

struct Visited {
  std::uint64_t letters = 0;
  int code = kExitOk;  // kExitFailed: some are damaged, which was told
};

// Visits what is selected; complains about damaged ones. kNotFound: numbers that are not there.
Result<Visited> for_each_selected(
    const OpenedBuffer& opened, const Selection& selection,
    const std::function<bool(const DeadLetter&, const Names&)>& visit) {
  Store& store = *opened.store;
  if (store.usage().dead_letters > 0) EH_TRY(opened.opens_what_is_sealed());
  EH_ASSIGN(const Names names, read_names(store));
  Visited visited;
  std::set<std::uint64_t> missing = selection.ids;
  EH_ASSIGN(std::vector<std::uint64_t> damaged,
            store.for_each_dead_letter([&](const DeadLetter& letter) {
              if (!selection.takes(letter, names)) return true;
              ++visited.letters;
              missing.erase(letter.id);
              return visit(letter, names);
            }));
  std::erase_if(damaged,
                [&](std::uint64_t id) { return missing.erase(id) == 0 && !selection.ids.empty(); });
  if (!missing.empty())
    return fail(ErrorCode::kNotFound, "there is no dead letter {}", fmt::join(missing, ", "));
  if (!damaged.empty()) visited.code = failed({ErrorCode::kCorrupt, 0, damaged_text(damaged)});
  return visited;
}

// --- list, show, export --------------------------------------------------------------------------

int list(const Invocation& invocation) {
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const Selection selection{{}, invocation.value("sink")};
  fmt::print("{:>8}  {:<12}  {:<12}  {:>11}  {:<20}  {:>5}\n", "ID", "SINK", "SOURCE", "SEQUENCE",
             "GIVEN UP", "TRIES");
  const auto count =
      for_each_selected(opened, selection, [](const DeadLetter& letter, const Names& names) {
        fmt::print("{:>8}  {:<12}  {:<12}  {:>11}  {:<20}  {:>5}\n{:10}{}\n", letter.id,
                   clipped(printable(names.sink(letter.lane.sink)), 12),
                   clipped(printable(names.source(letter.lane.source)), 12), letter.sequence.value,
                   format_wall(letter.given_up), letter.attempts, "",
                   clipped(printable(letter.reason), kColumns - 11));
        return true;
      });
  if (!count) return failed(count.error());
  if (count->letters == 0) fmt::print("none\n");
  return count->code;
}

bool show_letter(const DeadLetter& letter, const Names& names) {
  fmt::print(
      "id        {}\nsink      {}\nsource    {}\nsequence  {}\n"
      "time      {}\ngiven up  {}\nattempts  {}\n"
      "reason    {}\nbody      {} bytes:\n",
      letter.id, printable(names.sink(letter.lane.sink)),
      printable(names.source(letter.lane.source)), letter.sequence.value,
      format_wall_ms(letter.time), format_wall_ms(letter.given_up), letter.attempts,
      printable(letter.reason), letter.body.size());
  fmt::print("{}\n", ::isatty(STDOUT_FILENO) == 1 ? printable(letter.body) : letter.body);
  return true;
}

int show(const Invocation& invocation) {
  const auto selection = select(invocation, false);
  if (!selection) return usage_error("dead-letters show", selection.error().message);
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto count = for_each_selected(opened, *selection, show_letter);
  return count ? count->code : failed(count.error());
}

int write_out(const Invocation& invocation, const Selection& selection) {
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  Status written;
  const auto count =
      for_each_selected(opened, selection, [&](const DeadLetter& letter, const Names&) {
        written = write_all(STDOUT_FILENO, letter.body + "\n", "standard output");
        return written.has_value();
      });
  if (!written) return failed(written.error());
  if (!count) return failed(count.error());
  fmt::print(stderr, "{} written; nothing was deleted\n", format_count(count->letters, "record"));
  return count->code;
}

int export_letters(const Invocation& invocation) {
  const auto selection = select(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters export", selection.error().message);
  return write_out(invocation, *selection);
}

// --- replay, purge -------------------------------------------------------------------------------

// As many as fit into one change each; none named: all of them, in one.
template <class C>
std::vector<ControlChange> changes_for(const Selection& selection) {
  const LetterSelection all{{}, selection.sink.value_or("")};
  std::vector<ControlChange> changes;
  LetterSelection part = all;
  for (const std::uint64_t id : selection.ids) {
    part.ids.push_back(id);
    if (part.ids.size() == LetterSelection::kMaxIds) changes.push_back(C{std::exchange(part, all)});
  }
  if (!part.ids.empty() || selection.ids.empty()) changes.push_back(C{part});
  return changes;
}

int replay(const Invocation& invocation) {
  const auto selection = select(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters replay", selection.error().message);
  if (invocation.has("stdout")) return write_out(invocation, *selection);
  return make_changes(invocation, changes_for<ReplayLetters>(*selection));
}

int purge(const Invocation& invocation) {
  const auto selection = select(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters purge", selection.error().message);
  if (invocation.has("yes")) return make_changes(invocation, changes_for<PurgeLetters>(*selection));
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto count =
      for_each_selected(opened, *selection, [](const DeadLetter&, const Names&) { return true; });
  if (!count) return failed(count.error());
  fmt::print("{} would be deleted for good. Nothing was changed: add --yes.\n",
             format_count(count->letters, "dead letter"));
  return kExitUsage;
}

const Option kSinkOption = {"sink", "NAME", "Only those of this sink"};

}  // namespace

Command dead_letters_list_command() {
  return {.name = "dead-letters list",
          .arguments = "",
          .summary = "records that a sink refused for good",
          .description =
              "Lists dead letters, the oldest first: records that a sink refused for good,\n"
              "with the server's reason (all of it: dead-letters show). TRIES: attempts of the\n"
              "process that gave it up, and those of replays. Works beside a running agent.",
          .options = {kSinkOption},
          .examples = "edgehose dead-letters list --sink search",
          .exit_codes = {},
          .run = list};
}

Command dead_letters_show_command() {
  return {.name = "dead-letters show",
          .arguments = "ID...",
          .summary = "all of a dead letter: reason, attempts, record",
          .description =
              "Shows dead letters with everything that is known of them, the record included.",
          .options = {},
          .examples = "edgehose dead-letters show 17",
          .exit_codes = {},
          .min_words = 1,
          .max_words = kAnyWords,
          .run = show};
}

Command dead_letters_replay_command() {
  return {
      .name = "dead-letters replay",
      .arguments = "ID... | --all",
      .summary = "delivers them again, once what was wrong is mended",
      .description =
          "The sink that refused the records delivers them again, under the identity that\n"
          "they have: a destination with stable keys holds each once. Those that it takes\n"
          "leave the dead letters and count as delivered; those that it refuses again\n"
          "stay, with the new reason. Batches are kept small and go when nothing else\n"
          "waits.\n"
          "\n"
          "A running agent is asked to do it (as root or its user) and begins at once;\n"
          "without one it is done by the next run. The answer comes when it is asked for,\n"
          "not when it is delivered: see dead-letters list.",
      .options = {{"all", "", "All of them"},
                  kSinkOption,
                  {"stdout", "", "Writes the records to standard output instead, as export does"}},
      .examples = "edgehose dead-letters replay --all --sink search",
      .exit_codes =
          "0  they will be delivered again; or there is none\n"
          "1  it failed: there is no such number, or the agent refused\n"
          "2  a wrong command line or config",
      .max_words = kAnyWords,
      .run = replay};
}

Command dead_letters_export_command() {
  return {.name = "dead-letters export",
          .arguments = "ID... | --all",
          .summary = "writes their records to standard output",
          .description =
              "Writes the records of dead letters to standard output, a line each, as they\n"
              "were read. They stay dead letters until they are replayed or purged.",
          .options = {{"all", "", "All of them"}, kSinkOption},
          .examples = "edgehose dead-letters export --all --sink search > refused.log",
          .exit_codes = {},
          .max_words = kAnyWords,
          .run = export_letters};
}

Command dead_letters_purge_command() {
  return {.name = "dead-letters purge",
          .arguments = "ID... | --all",
          .summary = "deletes dead letters for good",
          .description =
              "Deletes dead letters; they count as dropped (forgotten). Without --yes it only\n"
              "says how many. A running agent is asked to do it (as root or its user).",
          .options = {{"all", "", "All of them"}, kSinkOption, {"yes", "", "Does it"}},
          .examples = "edgehose dead-letters purge 17 18 --yes",
          .exit_codes =
              "0  done\n"
              "1  it failed: there is no such number, or the agent refused\n"
              "2  --yes is missing: nothing was changed; or a wrong command line or config",
          .max_words = kAnyWords,
          .run = purge};
}

}  // namespace edgehose
