// The end of files in a FileTable: descriptors held for what has no name or may soon have none,
// what is given up, what is forgotten.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/file_reader.h"
#include "agent/sources/file_table.h"

namespace edgehose {

namespace {
constexpr auto kKeepSeconds = static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::seconds>(kKeepFinished).count());
}

void FileTable::finish(TrackedFile& file) {
  if (file.finished) return;
  file.finished = true;
  file.fd.reset();
  file.content.reset();
  file.problem.clear();
  saw(file);
  file.dirty = true;
  sources_[file.source]->files.insert(&file);  // also one not seen since the start is checkpointed
}

void FileTable::count_lost(const TrackedFile& file, std::uint64_t bytes, std::string_view why) {
  if (bytes == 0) return;
  SourceFiles& source = *sources_[file.source];
  source.losses.lost_bytes += bytes;
  log::warn("source {}: {} bytes of {} are lost: {}", source.config.name, format_count(bytes),
            file.path, why);
}

void FileTable::bound_held(std::size_t source) {
  SourceFiles& mine = *sources_[source];
  std::vector<TrackedFile*> held;
  for (TrackedFile* file : mine.files)
    if (file->gone && file->fd.valid()) held.push_back(file);
  const std::size_t limit = static_cast<std::size_t>(mine.held_limit());
  if (held.size() <= limit) return;
  std::sort(held.begin(), held.end(), [](const TrackedFile* a, const TrackedFile* b) {
    return a->gone_since < b->gone_since;
  });
  held.resize(held.size() - limit);
  for (TrackedFile* file : held) {
    const auto stat = stats_.descriptor(file->fd.get());
    const std::uint64_t size = stat ? stat->size : file->size;
    count_lost(*file, size > file->line.begin ? size - file->line.begin : 0,
               "it was deleted, and too many deleted files are held open");
    finish(*file);
  }
}

// What waited and vanished without a descriptor of ours may still turn up in a compressed file. If
// it does not, it is counted as lost.
void FileTable::give_up(Observed& observed) {
  observed.waits = false;
  observed.fd.reset();
  SeenFile start;
  start.head = observed.head;
  start.format = format_of_name(observed.path);
  TrackedFile& file =
      track({observed.path, observed.stat, observed.selection, false, false, false}, start);
  if (!file.compressed()) file.at_risk = observed.stat.size;
  lose_name(file);
  finish(file);
}

void FileTable::count_unopened() {
  for (const auto& source : sources_) source->unopened = {};
  for (auto& [key, observed] : observed_) {
    if (!std::exchange(observed.unopened, false)) continue;
    SourceFiles& source = *sources_[observed.selection];
    ++source.unopened.files;
    if (format_of_name(observed.path) == Format::kPlain)
      source.unopened.bytes += observed.stat.size;
    const bool told = source.listing_problem.find(observed.path) != std::string::npos;
    if (told || source.unopened.example.empty()) source.unopened.example = observed.path;
  }
}

void FileTable::forget_observed(bool undecided) {
  if (!undecided) count_unopened();
  for (auto& [key, observed] : observed_)
    if (!observed.used && observed.waits) give_up(observed);
  std::erase_if(observed_, [&](const auto& entry) {
    return !entry.second.used || !(entry.second.waits || undecided);
  });
}

// Opens what a rotation may delete before it is read: files that wait for a decision, and files
// that nobody reads now because the sink is full. The oldest first, as rotations delete them; what
// lost its name already before all.
void FileTable::set_aside(std::size_t index) {
  struct Candidate {
    bool nameless;
    std::int64_t mtime_ns;
    Observed* observed;
    TrackedFile* file;
    bool operator<(const Candidate& o) const {
      return std::pair(!nameless, mtime_ns) < std::pair(!o.nameless, o.mtime_ns);
    }
  };
  SourceFiles& source = *sources_[index];
  std::vector<Candidate> candidates;
  source.aside = 0;
  bool deleting = false;  // rotations do delete what was not read
  for (auto& [key, observed] : observed_) {
    if (!observed.waits || observed.selection != index) continue;
    const bool nameless = observed.nameless_since != Instant{};
    candidates.push_back({nameless, observed.stat.mtime_ns, &observed, nullptr});
    deleting = deleting || nameless;
  }
  for (TrackedFile* file : source.files) {
    if (file->finished || file->open_lists > 0) continue;
    if (file->gone) {
      if (file->fd.valid()) ++source.aside;
      deleting = deleting || file->fd.valid();
      continue;
    }
    if (file->owned && file->has_unread())
      candidates.push_back({false, file->mtime_ns, nullptr, file});
    else
      file->fd.reset();  // it waited, and there is nothing to read in it
  }
  std::sort(candidates.begin(), candidates.end());
  for (const Candidate& c : candidates) {
    FileDescriptor& fd = c.file != nullptr ? c.file->fd : c.observed->fd;
    if (source.aside >= source.held_limit()) {
      if (deleting) release_held_back(source);  // out of order is better than not at all
      fd.reset();
      if (c.nameless) give_up(*c.observed);
    } else if (fd.valid() || open_aside(c.file, c.observed)) {
      ++source.aside;
    }
  }
}

// False where it cannot be opened, or its name leads to another file by now.
bool FileTable::open_aside(TrackedFile* file, Observed* observed) {
  auto fd =
      open_file(file != nullptr ? file->path : observed->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    starved_ = starved_ || wants_descriptor(fd.error());
    return false;
  }
  const auto stat = stats_.descriptor(fd->get());
  const FileIdentity wanted = file != nullptr ? file->identity : identity_of(observed->stat, {});
  if (!stat || !same_inode(wanted, *stat)) return false;
  if (file != nullptr && file->identity.prefix_length == 0 && !file->compressed() &&
      !file->empty_rotation)
    learn_start(*file, *fd);
  (file != nullptr ? file->fd : observed->fd) = std::move(*fd);
  return true;
}

// A copy of it, compressed maybe, may be found before it is read.
void FileTable::learn_start(TrackedFile& file, const FileDescriptor& fd) {
  char head[kPrefixBytes];
  const ssize_t got = ::pread(fd.get(), head, sizeof head, 0);
  if (got > 0) learn_start(file, std::string_view(head, static_cast<std::size_t>(got)));
}

void FileTable::learn_start(TrackedFile& file, std::string_view head) {
  file.identity.prefix_length = static_cast<std::uint32_t>(head.size());
  file.identity.prefix_hash = prefix_hash(head);
  file.dirty = true;
}

// Whether the held descriptor of a file without a name gives more.
bool FileTable::still_to_be_read(const TrackedFile& file) const {
  if (!file.fd.valid() || file.note.complete) return false;
  if (file.compressed()) return true;
  const auto stat = stats_.descriptor(file.fd.get());
  return stat && stat->size > file.line.scanned;
}

// Gives up what has been away for long, and forgets what was given up long ago.
void FileTable::expire() {
  const Instant now = clock_.now();
  const Duration patience = environment_.once ? Duration{} : kGivenUpAfter;
  for (const auto& [id, file] : files_) {
    if (file->at_risk > 0 && now - file->gone_since >= patience) {
      count_lost(*file, std::exchange(file->at_risk, 0),
                 "the file was truncated, replaced or deleted before they were read");
    }
    if (!file->gone || file->finished || still_to_be_read(*file)) continue;
    if (now - std::max(file->gone_since, file->grown) < patience) continue;
    const bool unread = file->owned && !file->fd.valid() && file->size > file->line.begin;
    if (unread && !file->compressed())  // of a compressed one nobody knows what was inside
      count_lost(*file, file->size - file->line.begin,
                 "the file was deleted before they were read");
    if (!file->fd.valid() || !file->line.unfinished()) finish(*file);
  }
  forget_old();
}

void FileTable::forget_old() {
  const std::uint64_t now = service_seconds();
  std::vector<TrackedFile*> finished;
  for (const auto& [id, file] : files_)
    if (file->finished && !file->dirty && !file->queued && file->at_risk == 0 &&
        file->open_lists == 0 && !file->in_partial_list)
      finished.push_back(file.get());
  std::sort(finished.begin(), finished.end(), [](const TrackedFile* a, const TrackedFile* b) {
    return std::pair(a->note.last_seen, a->id.value) > std::pair(b->note.last_seen, b->id.value);
  });
  for (std::size_t i = 0; i < finished.size(); ++i) {
    TrackedFile* file = finished[i];
    if (i < kMaxFinished && now - file->note.last_seen <= kKeepSeconds) continue;
    sources_[file->source]->files.erase(file);
    to_erase_.push_back(file->id);
    files_.erase(file->id.value);
  }
}

}  // namespace edgehose
