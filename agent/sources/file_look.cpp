// The look of a FileTable: what is there, what changed, what to do about it.
#include <algorithm>

#include "agent/base/log.h"
#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

constexpr Duration kStep = std::chrono::seconds(1);  // of the wall clock: more is no drift

}  // namespace

void FileTable::look() {
  Look look;
  hash_share_ = kHashShare;
  hash_waits_ = false;
  look_again_ = false;
  watch_wall_clock();
  gather(look);
  const std::vector<Change> changes = decide(look);
  look.present.resize(look.known.size());
  for (std::size_t i = 0; i < look.before.size(); ++i) look.present[i] = look.before[i].hidden;
  for (const Change& change : changes)
    if (change.known && change.seen && change.kind <= ChangeKind::kRenamed)
      look.present[*change.known] = true;
  waiting_ = look.undecided || look.doubts;
  by_path_.clear();
  for (const Change& change : changes) apply(look, change);
  hold_back(look, changes);
  for (const auto& [id, file] : files_)
    if (!file->finished && !file->gone) by_path_[file->path] = file.get();
  forget_observed(look.undecided || look.unanswered);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    bound_held(i);
    set_aside(i);
  }
  end_hashing(look);
  if (starved_) let_go();
  expire();
  const bool watched_anew = watcher_.watch(look.found.directories);
  directories_ = std::move(look.found.directories);
  // What happened in a directory until it was watched, nobody tells.
  if (watched_anew && !as_listed()) look.soon = look_again_ = true;
  looked_ = looked_ || !look.undecided;
  undecided_ = look.undecided ? undecided_ + 1 : 0;
  last_look_ = clock_.now();
  look_at_ = last_look_ + (look.soon || hash_waits_ ? kLookPause
                           : waiting_ || starved_   ? std::min(poll_interval_, kWatchCopies)
                                                    : poll_interval_);
  rest_until_ = last_look_ + rest(look);
}

// After a jump a copy that is being made looks old for a while.
void FileTable::watch_wall_clock() {
  const Duration lead = Duration(clock_.wall().value) - clock_.now().time_since_epoch();
  if (wall_lead_ && std::chrono::abs(lead - *wall_lead_) > kStep) stepped_ = clock_.now();
  wall_lead_ = lead;
}

void FileTable::gather_known(Look& look) {
  for (const auto& [id, file] : files_) {
    KnownContent known;
    known.draining = still_to_be_read(*file);
    // It was empty when it was last read, and may have no name by now but those of its copies.
    const bool unknown_start = file->identity.prefix_length == 0 && !file->empty_rotation;
    if (known.draining && unknown_start && !file->compressed()) learn_start(*file, file->fd);
    known.path = file->path;
    known.identity = file->identity;
    if (file->owned || file->selected) known.source = file->source;
    known.offset = file->line.begin;
    known.crc = file->line.crc;
    known.crc_known = file->crc_known;
    known.marks = file->note.marks;
    known.finished = file->finished;
    known.suspect = file->suspect;
    known.empty = file->empty();
    known.doubtful = doubtful(*file, look);
    known.compressed = file->compressed();
    if (file->verified_size != UINT64_MAX) {
      known.size = file->verified_size;
      known.mtime_ns = file->verified_mtime_ns;
    }
    known.same_boot = file->same_boot;
    known.complete = file->note.complete;
    look.known.push_back(file.get());
    look.before.push_back(known);
  }
}

// A write under way has the new time before the new size: doubt waits a little. Comparing what is
// large costs much, and something may touch it all the time: there it waits longer.
bool FileTable::doubtful(const TrackedFile& file, Look& look) const {
  if (file.doubted == Instant{} || file.finished) return false;
  Duration patience = kQuiet;
  if (!environment_.once) patience += std::chrono::seconds(file.line.begin / kDoubtBytesPerSecond);
  const Duration left = file.doubted + patience - clock_.now();
  look.doubts = look.doubts || (left > Duration{} && left <= kQuiet);
  return left <= Duration{};
}

void FileTable::gather(Look& look) {
  std::vector<std::string> followed;
  for (const auto& [id, file] : files_)
    if (!file->finished) followed.push_back(file->path);
  look.found = discover(selections_, followed, stats_, environment_.output);
  tell_own(look.found.own);
  gather_known(look);
  KnownInodes inodes;
  for (const KnownContent& known : look.before)
    if (!known.finished) inodes.add(known.identity);
  for (auto& [key, observed] : observed_) observed.used = false;
  for (const FoundFile& file : look.found.files)
    look.now.push_back(observe(file, inodes.contains(file.stat)));
  look.with_names = look.now.size();
  hide(look);
  gather_nameless(look);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    sources_[i]->named = look.found.named[i];
    sources_[i]->listing_problem = look.found.problems[i];
    sources_[i]->in_memory = false;
  }
}

void FileTable::tell_own(const std::vector<OwnOutput>& own) {
  for (const OwnOutput& output : own)
    if (told_own_.emplace(output.stat.device, output.stat.inode).second)
      log::warn("source {}: {} is where this process's own output goes: it is not read",
                sources_[output.selection]->config.name, output.path);
}

// What is below a directory that cannot be listed is as it was, as far as anybody knows.
void FileTable::hide(Look& look) {
  starved_ = look.found.starved;
  if (look.found.hidden.empty()) return;
  for (std::size_t i = 0; i < look.known.size(); ++i) {
    const TrackedFile& file = *look.known[i];
    look.before[i].hidden = !file.finished && !file.gone && look.found.hides(file.path);
  }
  for (auto& [key, observed] : observed_)
    observed.used = observed.used || (observed.waits && look.found.hides(observed.path));
}

// Descriptors ran out, whoever has them: what can be opened again when it is read is closed.
void FileTable::let_go() {
  for (const auto& [id, file] : files_)
    if (!file->gone && !file->content) file->fd.reset();
}

// What waits for a decision and lost its name meanwhile: there through its descriptor alone.
void FileTable::gather_nameless(Look& look) {
  for (auto& [key, observed] : observed_) {
    if (observed.used || !observed.fd.valid()) continue;
    const auto stat = stats_.descriptor(observed.fd.get());
    if (observed.nameless_since == Instant{}) observed.nameless_since = clock_.now();
    // It waits for what is being read, which a full buffer may delay; descriptors are the bound.
    // But run --once ends.
    if (!stat || (environment_.once && clock_.now() - observed.nameless_since > kGivenUpAfter)) {
      give_up(observed);
      continue;
    }
    look.found.files.push_back({observed.path, *stat, observed.selection, false, false, false});
  }
  for (std::size_t i = look.with_names; i < look.found.files.size(); ++i) {
    look.now.push_back(observe(look.found.files[i], false));
    // Nobody copies to a file without a name.
    if (look.found.files[i].stat.links == 0) look.now.back().quiet = true;
  }
}

SeenFile FileTable::observe(const FoundFile& file, bool is_known) {
  SeenFile seen;
  seen.path = file.path;
  seen.source = file.selection;
  seen.stat = file.stat;
  seen.named = file.named;
  seen.excluded = file.excluded;
  seen.format = format_of_name(file.path);
  seen.first_look = !looked_;
  // The inode may be known and yet be another file's, which waits: numbers are given again.
  if (is_known && !observed_.contains({file.stat.device, file.stat.inode})) return seen;
  Observed& before = observed(file.stat);
  before.first_look = before.first_look || !looked_;
  seen.first_look = before.first_look;
  seen.quiet = quiet(before);
  seen.waited_long = clock_.now() - before.first >= kWaitForQuiet;
  seen.head = before.head;
  seen.unreadable = before.unreadable;
  seen.crcs = before.crcs;
  return seen;
}

// What the clock says stood still before we came need not be watched for it.
bool FileTable::quiet(const Observed& observed) const {
  const bool stepped = stepped_ && clock_.now() - *stepped_ < kOldEnough;
  const bool old = clock_.wall().value - observed.stat.mtime_ns >= kOldEnough.count();
  return clock_.now() - observed.since >= kQuiet || (old && !stepped);
}

FileTable::Observed& FileTable::observed(const FileStat& stat) {
  Observed& observed = observed_[{stat.device, stat.inode}];
  observed.used = true;
  if (observed.first == Instant{}) observed.first = clock_.now();
  const bool changed = observed.since == Instant{} || observed.stat.size != stat.size ||
                       observed.stat.mtime_ns != stat.mtime_ns;
  observed.stat = stat;
  if (!changed) return observed;
  observed.since = clock_.now();
  observed.head.reset();
  observed.unreadable = false;
  observed.crcs.clear();
  return observed;
}

}  // namespace edgehose
