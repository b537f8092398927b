// edgehose dead-letters: records that a sink refused for good.
#include <unistd.h>

#include <algorithm>

#include "agent/base/file.h"
#include "agent/base/text.h"
#include "agent/commands/layout.h"
#include "agent/commands/letter_groups.h"
#include "agent/commands/load.h"
#include "agent/commands/picked_letters.h"
#include "agent/commands/running_agent.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

// --- list, show, export --------------------------------------------------------------------------

void print_row(const DeadLetter& letter, const LetterNames& names) {
  fmt::print("{:>8}  {:<12}  {:<12}  {:>11}  {:<20}  {:>5}\n{:10}{}\n", letter.id,
             clipped(printable(names.sink(letter.lane.sink)), 12),
             clipped(printable(names.source(letter.lane.source)), 12), letter.sequence.value,
             format_wall(letter.given_up), letter.attempts, "",
             clipped(printable(letter.reason), kColumns - 11));
}

int list_rows(const OpenedBuffer& opened, const PickedLetters& selection, std::uint64_t limit) {
  fmt::print("{:>8}  {:<12}  {:<12}  {:>11}  {:<20}  {:>5}\n", "ID", "SINK", "SOURCE", "SEQUENCE",
             "GIVEN UP", "TRIES");
  std::uint64_t shown = 0;
  const auto count =
      for_each_picked(opened, selection, [&](const DeadLetter& letter, const LetterNames& names) {
        if (shown == limit) return false;
        print_row(letter, names);
        ++shown;
        return true;
      });
  if (!count) return failed(count.error());
  if (count->letters == 0) fmt::print("none\n");
  if (count->letters > shown) fmt::print("... more; see --limit and --all\n");
  return count->code;
}

int list_groups(const OpenedBuffer& opened, const PickedLetters& selection) {
  LetterGroups groups;
  const auto count =
      for_each_picked(opened, selection, [&](const DeadLetter& letter, const LetterNames& names) {
        groups.add(names.sink(letter.lane.sink), letter);
        return true;
      });
  if (!count) return failed(count.error());
  fmt::print("{}", groups.text());
  return count->code;
}

int list(const Invocation& invocation) {
  std::uint64_t limit = UINT64_MAX;
  if (const auto text = invocation.value("limit")) {
    const auto number = parse_number(*text);
    if (!number)
      return usage_error("dead-letters list", fmt::format("--limit {} is not a number", *text));
    limit = *number;
  }
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const PickedLetters selection{{}, invocation.value("sink")};
  if (invocation.has("limit") || invocation.has("all")) return list_rows(opened, selection, limit);
  return list_groups(opened, selection);
}

bool show_letter(const DeadLetter& letter, const LetterNames& names) {
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
  const auto selection = pick_letters(invocation, false);
  if (!selection) return usage_error("dead-letters show", selection.error().message);
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto count = for_each_picked(opened, *selection, show_letter);
  return count ? count->code : failed(count.error());
}

int write_out(const Invocation& invocation, const PickedLetters& selection) {
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  Status written;
  const auto count =
      for_each_picked(opened, selection, [&](const DeadLetter& letter, const LetterNames&) {
        written = write_all(STDOUT_FILENO, letter.body + "\n", "standard output");
        return written.has_value();
      });
  if (!written) return failed(written.error());
  if (!count) return failed(count.error());
  fmt::print(stderr, "{} written; nothing was deleted\n", format_count(count->letters, "record"));
  return count->code;
}

int export_letters(const Invocation& invocation) {
  const auto selection = pick_letters(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters export", selection.error().message);
  return write_out(invocation, *selection);
}

// --- replay, purge -------------------------------------------------------------------------------

// As many as fit into one change each; none named: all of them, in one.
template <class C>
std::vector<ControlChange> changes_for(const PickedLetters& selection) {
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
  const auto selection = pick_letters(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters replay", selection.error().message);
  if (invocation.has("stdout")) return write_out(invocation, *selection);
  return make_changes(invocation, changes_for<ReplayLetters>(*selection));
}

int purge(const Invocation& invocation) {
  const auto selection = pick_letters(invocation, invocation.has("all"));
  if (!selection) return usage_error("dead-letters purge", selection.error().message);
  if (invocation.has("yes")) return make_changes(invocation, changes_for<PurgeLetters>(*selection));
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto count = for_each_picked(opened, *selection,
                                     [](const DeadLetter&, const LetterNames&) { return true; });
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
              "Sums up dead letters by sink and reason: records that a sink refused for good,\n"
              "with the server's words. With --all or --limit it lists each of them, the\n"
              "oldest first. TRIES: attempts of the process that gave it up, and those of\n"
              "replays. Works beside a running agent.",
          .options = {kSinkOption,
                      {"all", "", "Each of them"},
                      {"limit", "N", "Each of them, at most so many"}},
          .examples = "edgehose dead-letters list --sink search --limit 20",
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
