// What a FileTable does about each change that a look finds.
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/file_reader.h"
#include "agent/sources/file_table.h"

namespace edgehose {

void FileTable::apply(Look& look, const Change& change) {
  switch (change.kind) {
    case ChangeKind::kSame:
    case ChangeKind::kRenamed: return apply_seen(look, change);
    case ChangeKind::kNew:
    case ChangeKind::kSkipped: return apply_new(look, change);
    case ChangeKind::kTruncated: return apply_truncated(look, change);
    case ChangeKind::kOverwritten: return apply_overwritten(look, change);
    case ChangeKind::kTailLost: return apply_tail_lost(look, change);
    case ChangeKind::kResumed:
    case ChangeKind::kDuplicate: return apply_copy(look, change);
    case ChangeKind::kUnreadable: return apply_unreadable(look, change);
    case ChangeKind::kGone: return apply_gone(*look.known[*change.known]);
    case ChangeKind::kWait: return apply_wait(look, change);
  }
}

void FileTable::apply_wait(Look& look, const Change& change) {
  const FoundFile& found = look.found.files[*change.seen];
  Observed& waiting = observed(found.stat);
  waiting.path = found.path;
  waiting.selection = found.selection;
  waiting.waits = change.settles;
  waiting.unopened = look.now[*change.seen].unopened && waiting.refused;
  if (change.settles)
    waiting_ = true;
  else if (waiting.nameless_since != Instant{})
    give_up(waiting);
}

void FileTable::own(TrackedFile& file, const FoundFile& found) {
  if (!file.owned || file.source != found.selection) {
    if (found.named || !file.owned) {
      sources_[file.source]->files.erase(&file);  // also one that finish() put there unseen
      file.source = found.selection;
      sources_[file.source]->files.insert(&file);
    }
  }
  if (!file.owned && !looked_) file.goal = found.stat.size;
  file.owned = true;
  file.size = found.stat.size;
  file.mtime_ns = found.stat.mtime_ns;
  file.device = found.stat.device;
  file.in_memory = found.stat.in_memory;
  file.rotated = found.rotated;
  file.empty_rotation = found.rotated && (file.empty_rotation || file.size == 0);
  saw(file);
  if (file.in_memory) sources_[file.source]->in_memory = true;
  if (file.note.copytruncated) note_truncation(file.source, file.path);
}

void FileTable::apply_seen(Look& look, const Change& change) {
  TrackedFile& file = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  own(file, found);
  file.gone = false;
  if (file.finished) {
    file.finished = false;
    file.at_risk = 0;
    file.dirty = true;
  }
  if (const auto held = observed_.find({found.stat.device, found.stat.inode});
      held != observed_.end() && held->second.nameless_since == Instant{})
    held->second.waits = false;
  take_compared_start(file, look.now[*change.seen]);
  if (look.before[*change.known].doubtful) believe(file, found);
  if (file.compressed()) go_on_inside(file);
  if (file.path != found.path) {
    file.path = found.path;
    file.dirty = true;
    make_urgent(file);
  }
  file.identity.filesystem = found.stat.filesystem;
  file.format = look.now[*change.seen].format;
  if (file.note.compressed && file.format == Format::kPlain) file.note.complete = true;
  if (file.to_be_read() || !file.problem.empty()) make_ready(file);
}

// What a rotation of less than 1 KiB goes on with was compared, and is no copy of its log: asked
// again at each size, one that is written to all the time would never be read.
void FileTable::take_compared_start(TrackedFile& file, const SeenFile& seen) {
  const std::uint32_t known = file.identity.prefix_length;
  if (!file.rotated || file.compressed() || known == 0 || known == kPrefixBytes) return;
  if (seen.head && seen.head->size() == kPrefixBytes && same_start(file.identity, *seen.head))
    learn_start(file, *seen.head);
}

// It begins with what was read of it, and was written since: there may be more.
void FileTable::go_on_inside(TrackedFile& file) {
  const bool compared = file.verified_size != UINT64_MAX;
  if (!compared || file.same_as_verified() || !file.crc_known) return;
  file.content.reset();
  file.note.complete = file.note.unreadable = false;
  file.dirty = true;
}

// Its bytes are those that were read, or it grew and they are compared when it is visited.
void FileTable::believe(TrackedFile& file, const FoundFile& found) {
  file.doubted = {};
  if (found.stat.size != file.verified_size) return;
  file.verified_mtime_ns = found.stat.mtime_ns;
  file.dirty = true;
}

TrackedFile& FileTable::track(const FoundFile& found, const SeenFile& seen) {
  const FileId id = store_.new_file_id();
  auto owner = std::make_unique<TrackedFile>();
  TrackedFile& file = *owner;
  file.id = id;
  file.path = found.path;
  file.format = seen.format;
  file.identity = identity_of(found.stat, seen.head.value_or(std::string()));
  file.dirty = true;
  files_.emplace(id.value, std::move(owner));
  own(file, found);
  if (const auto held = observed_.find({found.stat.device, found.stat.inode});
      held != observed_.end()) {
    file.fd = std::move(held->second.fd);
    held->second.waits = false;
    if (held->second.nameless_since != Instant{}) lose_name(file);
  }
  return file;
}

void FileTable::lose_name(TrackedFile& file) {
  file.gone = true;
  file.gone_since = clock_.now();
  make_urgent(file);
}

void FileTable::skip_to_end(TrackedFile& file, const FoundFile& found) {
  file.line = {found.stat.size, found.stat.size, 0, 0};
  file.committed = file.line.begin;
  file.crc_known = false;
  if (file.compressed()) complete_as_it_is(file, found);
}

// What is unpacked of it is known by its time.
void FileTable::complete_as_it_is(TrackedFile& file, const FoundFile& found) {
  file.note.complete = true;
  file.verified_size = found.stat.size;
  file.verified_mtime_ns = found.stat.mtime_ns;
}

void FileTable::apply_new(Look& look, const Change& change) {
  const FoundFile& found = look.found.files[*change.seen];
  SeenFile& seen = look.now[*change.seen];
  const FileSourceConfig& config = sources_[found.selection]->config;
  const bool old = config.ignore_older.count() > 0 &&
                   clock_.wall().value - found.stat.mtime_ns > config.ignore_older.count();
  const bool skip = change.kind == ChangeKind::kSkipped || old ||
                    (change.fresh && config.start_at == StartAt::kEnd &&
                     !sources_[found.selection]->known_before);
  if (skip && !seen.head) answer(look, {*change.seen, std::nullopt});
  TrackedFile& file = track(found, seen);
  // From the first commit on rotations are told from archives that were there before us.
  if (!looked_) sources_[file.source]->urgent = true;
  if (skip)
    skip_to_end(file, found);
  else
    make_ready(file);
}

// Bytes of a content that was replaced in its place which nobody read; none: not known. Where the
// file did not become shorter than its position, nobody knows when it was replaced: then only the
// size counts that it had when its bytes were last compared.
std::optional<std::uint64_t> FileTable::unread_before(const TrackedFile& old, std::uint64_t size) {
  if (!old.owned) return std::nullopt;
  std::uint64_t reached = old.size;
  if (size >= old.line.begin) {
    if (!old.visited) return std::nullopt;
    reached = old.verified_size;
  }
  return std::max(reached, old.line.scanned) - old.line.begin;
}

void FileTable::apply_truncated(Look& look, const Change& change) {
  TrackedFile& old = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  const std::optional<std::uint64_t> unread = unread_before(old, found.stat.size);
  log::info("{} was truncated or replaced in place: read again from its start{}", found.path,
            unread ? "" : "; whether all that it held was read before is not known");
  end_content(old, unread);
  SeenFile start;  // its start is learnt when it is read
  start.format = old.format;
  TrackedFile& fresh = track(found, start);
  fresh.note.copytruncated = true;
  note_truncation(fresh.source, fresh.path);
  make_ready(fresh);
}

void FileTable::end_content(TrackedFile& old, std::optional<std::uint64_t> unread) {
  make_urgent(old);
  old.at_risk = unread.value_or(0);
  old.gone = true;
  old.gone_since = clock_.now();
  old.suspect = false;
  old.doubted = {};
  finish(old);
}

void FileTable::apply_overwritten(Look& look, const Change& change) {
  TrackedFile& old = *look.known[*change.known];
  log::debug("{} was overwritten: compared with what was read once it stands still", old.path);
  if (!look.before[*change.known].empty) note_truncation(old.source, old.path);
  end_content(old, unread_before(old, look.found.files[*change.seen].stat.size));
  old.identity.inode = 0;  // what is there may begin as it did: its bytes alone tell it from now on
}

void FileTable::apply_tail_lost(Look& look, const Change& change) {
  TrackedFile& file = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  log::warn(
      "{} is {} bytes shorter than what was read of it before the last boot: a power cut took "
      "its end; going on at byte {}",
      found.path, format_count(file.line.begin - change.offset), format_count(change.offset));
  file.line = {change.offset, change.offset, change.crc, change.crc};
  file.crc_known = change.crc_known;
  file.note.tail_length = 0;
  file.note.marks = {};
  file.dirty = true;
  file.same_boot = true;
  apply_seen(look, change);
}

void FileTable::apply_copy(Look& look, const Change& change) {
  TrackedFile& old = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  TrackedFile& copy = track(found, look.now[*change.seen]);
  copy.line = {change.offset, change.offset, change.crc, change.crc};
  copy.crc_known = change.crc_known;
  if (change.kind == ChangeKind::kResumed) copy.note.marks = old.note.marks;
  copy.committed = change.offset;
  if (found.rotated) copy.renamed = clock_.now();
  if (!copy.compressed())
    if (const auto fd = open_seen(found)) remember_tail(copy, fd->get());
  tell_copy(copy, old, change);
  if (change.kind == ChangeKind::kDuplicate) {
    copy.note.complete = copy.compressed();
    if (change.by_start && copy.compressed()) complete_as_it_is(copy, found);
    return;
  }
  if (!look.present[*change.known]) {
    old.at_risk = 0;
    old.gone = true;
    finish(old);
  }
  make_ready(copy);
}

// By its bytes alone: it may be a log of its own that begins with the same lines.
void FileTable::tell_copy(const TrackedFile& copy, const TrackedFile& old, const Change& change) {
  if (!(change.by_bytes || change.by_start) || change.offset == 0)
    return log::debug("{} continues {} at byte {}", copy.path, old.path, change.offset);
  SourceFiles& source = *sources_[copy.source];
  source.copied_bytes += change.offset;
  if (change.by_start)
    return log::info(
        "source {}: {} begins like {}, which was there before its logs were followed: it is taken "
        "for what that holds, and its {} bytes are not read",
        source.config.name, copy.path, old.path, format_count(change.offset));
  log::info(
      "source {}: {} begins with the {} bytes that were read of {}: it is taken for its copy, "
      "and they are not read again",
      source.config.name, copy.path, format_count(change.offset), old.path);
}

void FileTable::apply_gone(TrackedFile& file) {
  if (!file.gone) lose_name(file);
  if (file.empty() && file.fd.valid() && place_without_name(file)) return;
  if (file.fd.valid()) make_ready(file);
}

// An empty rotation that was written to and deleted between two looks: it may have been a copy.
bool FileTable::place_without_name(TrackedFile& file) {
  const auto stat = stats_.descriptor(file.fd.get());
  if (!stat || stat->size == 0) return false;
  Observed& waiting = observed(*stat);
  waiting.fd = std::move(file.fd);
  waiting.path = file.path;
  waiting.selection = file.source;
  waiting.waits = waiting_ = true;
  waiting.nameless_since = clock_.now();
  finish(file);
  return true;
}

}  // namespace edgehose
