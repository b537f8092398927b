// PickedLetters: which dead letters a command line means, and a visit of each of them.
//
// Threading: one thread, which reads the store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/base/result.h"
#include "agent/commands/command.h"
#include "agent/commands/load.h"
#include "buffer/state.h"

namespace edgehose {

struct LetterNames {
  std::map<SinkId, std::string> sinks;
  std::map<SourceId, std::string> sources;

  std::string sink(SinkId id) const { return sinks.contains(id) ? sinks.at(id) : "?"; }
  std::string source(SourceId id) const { return sources.contains(id) ? sources.at(id) : "-"; }
};

struct PickedLetters {
  std::set<std::uint64_t> ids;  // empty: all
  std::optional<std::string> sink;

  bool takes(const DeadLetter& letter, const LetterNames& names) const {
    return (ids.empty() || ids.contains(letter.id)) &&
           (!sink || names.sink(letter.lane.sink) == *sink);
  }
};

// By --sink, and either words or --all. `all`: without words all are meant.
Result<PickedLetters> pick_letters(const Invocation& invocation, bool all);

struct VisitedLetters {
  std::uint64_t letters = 0;
  int code = kExitOk;  // kExitFailed: some are damaged, which was told
};

// Visits what is picked, until `visit` says false; complains about damaged ones. kNotFound: numbers
// that are not there.
Result<VisitedLetters> for_each_picked(
    const OpenedBuffer& opened, const PickedLetters& picked,
    const std::function<bool(const DeadLetter&, const LetterNames&)>& visit);

}  // namespace edgehose
