// When a FileTable need not look: of many files that only stand there a look costs more than all
// else that an idle agent does, and finds nothing that inotify would not tell.
#include <algorithm>

#include "agent/sources/file_table.h"

namespace edgehose {

// How long after this look the looks of poll intervals may be left out; nothing: none of them.
Duration FileTable::rest(const Look& look) const {
  if (environment_.once || waiting_ || starved_ || look.soon || hash_waits_ || hashing_) return {};
  if (!watcher_.complete() || !look.found.watchable || !settled()) return {};
  const auto paced = std::chrono::seconds(look.found.files.size() / kRestingPerSecond);
  return std::min<Duration>(paced, kMaxRest * poll_interval_);
}

// Nothing is there that only the passing of time, or a look, would change.
bool FileTable::settled() const {
  if (!observed_.empty()) return false;
  if (std::ranges::any_of(sources_, [](const auto& s) { return !s->listing_problem.empty(); }))
    return false;
  return std::ranges::all_of(files_, [](const auto& entry) {
    const TrackedFile& file = *entry.second;
    if (file.at_risk > 0) return false;
    return file.finished ||
           (!file.gone && !file.suspect && file.problem.empty() && file.doubted == Instant{});
  });
}

// Whether what a look would find first is as it was: every directory is the one that was listed,
// with the same names in it (its time), and no file waits to be read, which it might lose its name
// before. `stats_` is as of the last look: a mount on a directory shows as another inode.
bool FileTable::may_rest() {
  if (std::ranges::any_of(sources_, [](const auto& s) { return !s->turns.empty(); })) return false;
  return as_listed();
}

bool FileTable::as_listed() {
  return std::ranges::all_of(directories_, [this](const auto& entry) {
    const auto stat = stats_.path(entry.first);
    return stat && stat->device == entry.second.device && stat->inode == entry.second.inode &&
           stat->mtime_ns == entry.second.mtime_ns;
  });
}

}  // namespace edgehose
