// ControlChange: what a person asks of the buffer by hand, and how it is done. The same code runs
// in the agent, on its intake thread, and in a command while no agent runs.
//
// Threading: apply_change() belongs to the store's one writer; it is one transaction, or none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/result.h"
#include "buffer/store.h"

namespace edgehose {

// Which dead letters: those with these numbers, else all; of this sink, else of every one.
struct LetterSelection {
  static constexpr std::size_t kMaxIds = 1000;
  std::vector<std::uint64_t> ids;
  std::string sink;
  bool takes(const DeadLetter& letter, std::string_view sink_name) const;
};

struct ConfirmSink {  // its next delivery takes the destination that it finds
  std::string sink;
};
struct ForgetSink {  // its cursors and claims go
  std::string sink;
};
struct ForgetLane {  // what the sink did not deliver of the source goes
  std::string sink, source;
};
struct ForgetSource {  // its blocks and cursors go
  std::string source;
};
struct ForgetPositions {};  // of files that no source of the config can reach
struct UpgradeBuffer {};    // to the format of this release
struct ReplayLetters {
  LetterSelection which;
};
struct PurgeLetters {
  LetterSelection which;
};
using ControlChange = std::variant<ConfirmSink, ForgetSink, ForgetLane, ForgetSource,
                                   ForgetPositions, ReplayLetters, PurgeLetters, UpgradeBuffer>;

// What the config says that decides whether a change is wise.
struct ChangeContext {
  bool running = false;  // by the agent that uses it: what is in use is not taken away
  std::function<bool(std::string_view)> has_sink;
  std::function<bool(std::string_view)> has_source;
  std::function<bool(std::string_view)> reaches;  // a source's paths may lead to this file
  std::function<bool(std::string_view sink, std::string_view source)> takes{};  // by its inputs
};

struct ChangeReport {
  std::string text;           // what was done, a sentence or more
  std::uint64_t records = 0;  // that it was done to
  bool more = false;          // ask again: one change is bounded
  std::string problem{};      // what was left as it is, and what to do; empty: nothing
};

constexpr std::size_t kPurgedAtOnce = 1000;   // dead letters, positions: by one change
constexpr std::size_t kSeenAtOnce = 100'000;  // dead letters that one replay looks at

// Durable on return. kNotFound: no such name or number; kBusy: it is in use, the message says what
// to do.
Result<ChangeReport> apply_change(Store& store, const ControlChange& change,
                                  const ChangeContext& context);

// Whether a change that says `more` is simply asked for again, and what was done by all of them.
bool repeats(const ControlChange& change);
std::string done_text(const ControlChange& change, std::uint64_t records);
// That these dead letters fail their check, and what to do; empty for none.
std::string damaged_text(const std::vector<std::uint64_t>& ids);

// The known thing of this name; kNotFound names the nearest.
Result<SinkState> find_sink(Store& store, const std::string& name);
Result<SourceState> find_source(Store& store, const std::string& name);
// The same for who wants to forget it: one of the other kind is named with how that is forgotten.
Result<SinkState> sink_to_forget(Store& store, const std::string& name);
Result<SourceState> source_to_forget(Store& store, const std::string& name);
// kNotFound also where the sink has no cursor over that source alone.
Result<LaneState> find_lane(Store& store, const std::string& sink, const std::string& source);

}  // namespace edgehose
