#include "agent/run/change.h"

#include <algorithm>
#include <map>
#include <set>

#include "agent/base/text.h"

namespace edgehose {
namespace {

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

// `remedy`: behind a name of the other kind.
Result<SinkState> known_sink(Store& store, const std::string& name, std::string_view remedy) {
  EH_ASSIGN(const auto sinks, store.sinks());
  auto sink = find_named(sinks, name, "sink");
  EH_ASSIGN(const auto sources, store.sources());
  if (!sink && find_named(sources, name, "source"))
    return fail(ErrorCode::kNotFound, "{} is a source, not a sink{}", name, remedy);
  return sink;
}

Result<SourceState> known_source(Store& store, const std::string& name, std::string_view remedy) {
  EH_ASSIGN(const auto sources, store.sources());
  auto source = find_named(sources, name, "source");
  EH_ASSIGN(const auto sinks, store.sinks());
  if (!source && find_named(sinks, name, "sink"))
    return fail(ErrorCode::kNotFound, "{} is a sink, not a source{}", name, remedy);
  return source;
}

Status in_one_transaction(Store& store, const std::function<Status(Store::Transaction&)>& work) {
  EH_ASSIGN(const auto transaction, store.begin());
  EH_TRY(work(*transaction));
  return transaction->commit();
}

// --- dead letters --------------------------------------------------------------------------------

std::map<SinkId, std::string> sink_names(const std::vector<SinkState>& sinks) {
  std::map<SinkId, std::string> names;
  for (const SinkState& sink : sinks) names[sink.id] = sink.name;
  return names;
}

// Visits what is selected, until `visit` says false; then numbers that are not there are no error.
// Returns those of the damaged ones that may be meant.
Result<std::vector<std::uint64_t>> for_each_selected(
    Store& store, const LetterSelection& which,
    const std::function<bool(const DeadLetter&, const std::string&)>& visit) {
  EH_ASSIGN(const auto sinks, store.sinks());
  if (!which.sink.empty()) EH_TRY(find_named(sinks, which.sink, "sink"));
  auto names = sink_names(sinks);
  std::set<std::uint64_t> missing(which.ids.begin(), which.ids.end());
  bool stopped = false;
  EH_ASSIGN(std::vector<std::uint64_t> damaged,
            store.for_each_dead_letter([&](const DeadLetter& letter) {
              const std::string& sink = names[letter.lane.sink];
              if (!which.takes(letter, sink)) return true;
              missing.erase(letter.id);
              stopped = !visit(letter, sink);
              return !stopped;
            }));
  std::erase_if(damaged,
                [&](std::uint64_t id) { return missing.erase(id) == 0 && !which.ids.empty(); });
  if (stopped || missing.empty()) return damaged;
  return fail(ErrorCode::kNotFound, "there is no dead letter {}{}", fmt::join(missing, ", "),
              which.sink.empty() ? "" : fmt::format(" of sink {}", which.sink));
}

// Sorts letters into replays: of one lane, bounded, what is in one already left out.
class ReplayPlan {
 public:
  ReplayPlan(const std::vector<Claim>& open, const std::vector<LaneState>& lanes,
             const ChangeContext& context)
      : room_(kMaxReplays - std::min(kMaxReplays, open.size())), context_(context) {
    for (const Claim& replay : open) busy_.insert(replay.letters.begin(), replay.letters.end());
    for (const LaneState& lane : lanes) lanes_.insert(lane.key);
  }

  // False where no more fits.
  bool add(const DeadLetter& letter, const std::string& sink) {
    if (++seen_ > kSeenAtOnce) return full();
    if (busy_.contains(letter.id)) {
      ++already_;
      return true;
    }
    if (!lanes_.contains(letter.lane) || !context_.has_sink(sink)) {
      ++homeless_;
      return true;
    }
    Batch& batch = open_[letter.lane];
    const bool ripe = batch.ids.size() == kReplayRecords ||
                      (!batch.ids.empty() && batch.bytes + letter.body.size() + 1 > kReplayBytes);
    if (ripe) ready_.push_back(std::exchange(batch, {}).ids);
    if (batch.ids.empty() && batches() == room_) return full();
    batch.ids.push_back(letter.id);
    batch.bytes += letter.body.size() + 1;
    ++records_;
    return true;
  }

  std::vector<std::vector<std::uint64_t>> take() {
    for (auto& [lane, batch] : open_)
      if (!batch.ids.empty()) ready_.push_back(std::move(batch.ids));
    return std::move(ready_);
  }

  ChangeReport report(std::size_t replays, const std::vector<std::uint64_t>& damaged) const {
    ChangeReport report;
    report.problem = damaged_text(damaged);
    report.records = records_;
    report.more = more_;
    report.text = records_ == 0 ? "No dead letter to replay."
                                : fmt::format("{} will be delivered again, in {}.",
                                              format_count(records_, "record"),
                                              format_count(replays, "batch", "batches"));
    if (already_ > 0)
      report.text += fmt::format(" {} {} being replayed already.", format_count(already_),
                                 already_ == 1 ? "is" : "are");
    if (homeless_ > 0)
      report.text += fmt::format(" {} left: without a sink in the config, or with a forgotten one.",
                                 format_count(homeless_));
    if (more_) report.text += " There are more: ask again when these are delivered.";
    return report;
  }

 private:
  struct Batch {
    std::vector<std::uint64_t> ids;
    std::uint64_t bytes = 0;
  };
  bool full() {
    more_ = true;
    return false;
  }
  std::size_t batches() const {
    return ready_.size() + static_cast<std::size_t>(std::ranges::count_if(
                               open_, [](const auto& o) { return !o.second.ids.empty(); }));
  }

  const std::size_t room_;
  const ChangeContext& context_;
  std::set<std::uint64_t> busy_;
  std::set<LaneKey> lanes_;
  std::map<LaneKey, Batch> open_;
  std::vector<std::vector<std::uint64_t>> ready_;
  std::uint64_t seen_ = 0, records_ = 0, already_ = 0, homeless_ = 0;
  bool more_ = false;
};

Result<ChangeReport> apply(Store& store, const ReplayLetters& change,
                           const ChangeContext& context) {
  EH_ASSIGN(const auto open, store.replays());
  EH_ASSIGN(const auto lanes, store.lanes());
  ReplayPlan plan(open, lanes, context);
  EH_ASSIGN(const auto damaged,
            for_each_selected(store, change.which,
                              [&](const DeadLetter& letter, const std::string& sink) {
                                return plan.add(letter, sink);
                              }));
  const auto batches = plan.take();
  if (batches.empty()) return plan.report(0, damaged);
  EH_TRY(in_one_transaction(store, [&](Store::Transaction& t) -> Status {
    for (const auto& ids : batches)
      if (const auto made = t.replay(ids); !made) return tl::unexpected(made.error());
    return {};
  }));
  return plan.report(batches.size(), damaged);
}

Result<ChangeReport> apply(Store& store, const PurgeLetters& change, const ChangeContext&) {
  std::vector<std::uint64_t> ids;
  bool more = false;
  const auto take = [&](std::uint64_t id) {
    more = ids.size() == kPurgedAtOnce;
    if (!more) ids.push_back(id);
    return !more;
  };
  EH_ASSIGN(auto damaged, for_each_selected(store, change.which,
                                            [&](const DeadLetter& letter, const std::string&) {
                                              return take(letter.id);
                                            }));
  // Who names one by its number means it, whatever is left of it.
  if (!change.which.ids.empty()) std::erase_if(damaged, [&](std::uint64_t id) { return take(id); });
  const Status erased = in_one_transaction(store, [&](Store::Transaction& t) -> Status {
    for (const std::uint64_t id : ids) EH_TRY(t.erase_dead_letter(id));
    return {};
  });
  if (!erased) return tl::unexpected(erased.error());
  return ChangeReport{done_text(change, ids.size()), ids.size(), more, damaged_text(damaged)};
}

// --- names ---------------------------------------------------------------------------------------

tl::unexpected<Error> in_use(std::string_view kind, const std::string& name) {
  return fail(ErrorCode::kBusy,
              "{} {} is in the running agent's config: take it out and restart the agent, or stop "
              "the agent first",
              kind, name);
}

// The running agent's couriers have what is claimed.
Status refuse_under_way(Store& store, const std::string& source,
                        const std::function<bool(const LaneKey&)>& of_it) {
  EH_ASSIGN(const auto claims, store.claims());
  if (std::ranges::none_of(claims, [&](const Claim& c) { return !c.done && of_it(c.lane); }))
    return {};
  return fail(ErrorCode::kBusy,
              "records of source {} are just being delivered: try again when "
              "they are, or stop the agent first",
              source);
}

Result<ChangeReport> apply(Store& store, const ConfirmSink& change, const ChangeContext&) {
  EH_ASSIGN(SinkState sink, find_sink(store, change.sink));
  if (sink.note.empty())
    return ChangeReport{
        fmt::format("Sink {} has nothing to confirm: its next delivery takes the "
                    "destination that it finds.",
                    sink.name)};
  sink.note.clear();
  EH_TRY(in_one_transaction(store, [&](Store::Transaction& t) { return t.put_sink(sink); }));
  return ChangeReport{"Confirmed."};
}

Result<ChangeReport> apply(Store& store, const ForgetSink& change, const ChangeContext& context) {
  EH_ASSIGN(const SinkState sink, sink_to_forget(store, change.sink));
  if (context.running && context.has_sink(sink.name)) return in_use("sink", sink.name);
  EH_TRY(in_one_transaction(store, [&](Store::Transaction& t) { return t.forget_sink(sink.id); }));
  return ChangeReport{"Forgotten."};
}

// A lane that the config has stays, and goes on with what comes.
Result<ChangeReport> apply(Store& store, const ForgetLane& change, const ChangeContext& context) {
  EH_ASSIGN(const LaneState lane, find_lane(store, change.sink, change.source));
  const bool used = context.takes(change.sink, change.source);
  if (context.running && used)
    return fail(ErrorCode::kBusy,
                "sink {} takes source {} in the running agent's config: take it out of its inputs "
                "and restart the agent, or stop the agent first",
                change.sink, change.source);
  if (context.running)
    EH_TRY(refuse_under_way(store, change.source,
                            [&](const LaneKey& key) { return key == lane.key; }));
  const Counter waits = lane.buffered();
  EH_TRY(in_one_transaction(store, [&](Store::Transaction& t) {
    return used ? t.drop_backlog(lane.key) : t.forget_lane(lane.key);
  }));
  return ChangeReport{
      fmt::format("{}: {} ({}) of source {} will not be delivered by sink {}.",
                  used ? "Dropped" : "Forgotten", format_count(waits.records, "record"),
                  format_size(waits.bytes), change.source, change.sink),
      waits.records};
}

Result<ChangeReport> apply(Store& store, const ForgetSource& change, const ChangeContext& context) {
  EH_ASSIGN(const SourceState source, source_to_forget(store, change.source));
  if (context.running && context.has_source(source.name)) return in_use("source", source.name);
  if (context.running)
    EH_TRY(refuse_under_way(store, source.name,
                            [&](const LaneKey& key) { return key.source == source.id; }));
  EH_TRY(
      in_one_transaction(store, [&](Store::Transaction& t) { return t.forget_source(source.id); }));
  return ChangeReport{"Forgotten."};
}

Result<ChangeReport> apply(Store& store, const ForgetPositions& change,
                           const ChangeContext& context) {
  std::vector<FileId> files;
  bool more = false;
  EH_TRY(store.for_each_file([&](FileId id, const FileState& file) {
    if (context.reaches(file.path)) return;
    more = files.size() == kPurgedAtOnce;
    if (!more) files.push_back(id);
  }));
  const Status erased = in_one_transaction(store, [&](Store::Transaction& t) -> Status {
    for (const FileId id : files) EH_TRY(t.erase_file(id));
    return {};
  });
  if (!erased) return tl::unexpected(erased.error());
  return ChangeReport{done_text(change, files.size()), files.size(), more, {}};
}

Result<ChangeReport> apply(Store& store, const UpgradeBuffer&, const ChangeContext&) {
  const StoreFormat format = store.format();
  if (!format.old())
    return ChangeReport{
        fmt::format("The buffer has format {} already: nothing to do.", format.version)};
  EH_TRY(in_one_transaction(store, [](Store::Transaction& t) { return t.upgrade_format(); }));
  return ChangeReport{fmt::format("Upgraded to format {}.", format.newest)};
}

}  // namespace

bool LetterSelection::takes(const DeadLetter& letter, std::string_view sink_name) const {
  return (ids.empty() || std::ranges::find(ids, letter.id) != ids.end()) &&
         (sink.empty() || sink_name == sink);
}

bool repeats(const ControlChange& change) {
  return std::holds_alternative<PurgeLetters>(change) ||
         std::holds_alternative<ForgetPositions>(change);
}

std::string damaged_text(const std::vector<std::uint64_t>& ids) {
  if (ids.empty()) return {};
  return fmt::format(
      "dead letter{} {} {} damaged and left out; to delete: "
      "edgehose dead-letters purge {} --yes",
      ids.size() == 1 ? "" : "s", fmt::join(ids, ", "), ids.size() == 1 ? "is" : "are",
      fmt::join(ids, " "));
}

std::string done_text(const ControlChange& change, std::uint64_t records) {
  if (std::holds_alternative<PurgeLetters>(change))
    return format_count(records, "dead letter") + " deleted.";
  return format_count(records, "position") + " forgotten.";
}

Result<SinkState> find_sink(Store& store, const std::string& name) {
  return known_sink(store, name, "");
}

Result<SourceState> find_source(Store& store, const std::string& name) {
  return known_source(store, name, "");
}

Result<SinkState> sink_to_forget(Store& store, const std::string& name) {
  return known_sink(store, name, "; to forget it: edgehose buffer forget --source " + name);
}

Result<SourceState> source_to_forget(Store& store, const std::string& name) {
  return known_source(store, name, "; to forget it: edgehose buffer forget " + name);
}

Result<LaneState> find_lane(Store& store, const std::string& sink, const std::string& source) {
  EH_ASSIGN(const SinkState of_sink, find_sink(store, sink));
  EH_ASSIGN(const SourceState of_source, find_source(store, source));
  EH_ASSIGN(const auto lanes, store.lanes());
  const LaneKey key{of_sink.id, of_source.id};
  for (const LaneState& lane : lanes)
    if (lane.key == key) return lane;
  return fail(ErrorCode::kNotFound, "sink {} has no cursor over source {}", sink, source);
}

Result<ChangeReport> apply_change(Store& store, const ControlChange& change,
                                  const ChangeContext& context) {
  return std::visit([&](const auto& c) { return apply(store, c, context); }, change);
}

}  // namespace edgehose
