#include "agent/commands/picked_letters.h"

#include <fmt/ranges.h>

#include "agent/base/text.h"
#include "agent/run/change.h"

namespace edgehose {
namespace {

Result<LetterNames> read_names(Store& store) {
  LetterNames names;
  EH_ASSIGN(const auto sinks, store.sinks());
  for (const SinkState& sink : sinks) names.sinks[sink.id] = sink.name;
  EH_ASSIGN(const auto sources, store.sources());
  for (const SourceState& source : sources) names.sources[source.id] = source.name;
  return names;
}

}  // namespace

Result<PickedLetters> pick_letters(const Invocation& invocation, bool all) {
  PickedLetters picked;
  picked.sink = invocation.value("sink");
  for (const std::string& word : invocation.words) {
    const auto id = parse_number(word);
    if (!id)
      return fail(ErrorCode::kInvalid,
                  "\"{}\" is not the number of a dead letter; see edgehose dead-letters list",
                  word);
    picked.ids.insert(*id);
  }
  if (picked.ids.empty() && !all)
    return fail(ErrorCode::kInvalid, "name the dead letters by number, or say --all");
  if (!picked.ids.empty() && invocation.has("all"))
    return fail(ErrorCode::kInvalid, "numbers and --all exclude each other");
  return picked;
}

Result<VisitedLetters> for_each_picked(
    const OpenedBuffer& opened, const PickedLetters& picked,
    const std::function<bool(const DeadLetter&, const LetterNames&)>& visit) {
  Store& store = *opened.store;
  if (store.usage().dead_letters > 0) EH_TRY(opened.opens_what_is_sealed());
  EH_ASSIGN(const LetterNames names, read_names(store));
  VisitedLetters visited;
  std::set<std::uint64_t> missing = picked.ids;
  EH_ASSIGN(std::vector<std::uint64_t> damaged,
            store.for_each_dead_letter([&](const DeadLetter& letter) {
              if (!picked.takes(letter, names)) return true;
              ++visited.letters;
              missing.erase(letter.id);
              return visit(letter, names);
            }));
  std::erase_if(damaged,
                [&](std::uint64_t id) { return missing.erase(id) == 0 && !picked.ids.empty(); });
  if (!missing.empty())
    return fail(ErrorCode::kNotFound, "there is no dead letter {}", fmt::join(missing, ", "));
  if (!damaged.empty()) visited.code = failed({ErrorCode::kCorrupt, 0, damaged_text(damaged)});
  return visited;
}

}  // namespace edgehose
