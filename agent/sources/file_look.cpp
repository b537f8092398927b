// The look of a FileTable: what is there, what changed, what to do about it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/compressed_reader.h"
#include "agent/sources/file_reader.h"
#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

constexpr int kMaxRounds = 64;  // of questions in one look; the rest waits for the next
constexpr Duration kWatchCopies = std::chrono::seconds(1);

Result<FileDescriptor> open_to_read(const std::string& path) {
  return open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

class PlainContent final : public ByteStream {
 public:
  explicit PlainContent(FileDescriptor file) : file_(std::move(file)) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    const ssize_t got = ::read(file_.get(), out, size);
    if (got < 0) return fail_errno(errno, "reading");
    return static_cast<std::size_t>(got);
  }

 private:
  FileDescriptor file_;
};

Result<std::unique_ptr<ByteStream>> open_content(const SeenFile& seen) {
  EH_ASSIGN(FileDescriptor file, open_to_read(std::string(seen.path)));
  if (seen.format == Format::kPlain) return std::make_unique<PlainContent>(std::move(file));
  EH_ASSIGN(std::unique_ptr<CompressedReader> reader,
            CompressedReader::open(std::move(file), seen.format));
  return reader;
}

Result<std::string> read_head(ByteStream& content) {
  std::string head(kPrefixBytes, '\0');
  std::size_t filled = 0;
  while (filled < head.size()) {
    EH_ASSIGN(const std::size_t got, content.read(head.data() + filled, head.size() - filled));
    if (got == 0) break;
    filled += got;
  }
  head.resize(filled);
  return head;
}

}  // namespace

void FileTable::look() {
  Look look;
  gather(look);
  const std::vector<Change> changes = decide(look);
  look.present.resize(look.known.size());
  for (const Change& change : changes)
    if (change.known && change.seen && change.kind <= ChangeKind::kRenamed)
      look.present[*change.known] = true;
  waiting_ = false;
  by_path_.clear();
  for (const Change& change : changes) apply(look, change);
  for (const auto& [id, file] : files_)
    if (!file->finished && !file->gone) by_path_[file->path] = file.get();
  std::erase_if(observed_, [](const auto& entry) { return !entry.second.used; });
  for (std::size_t i = 0; i < sources_.size(); ++i) bound_held(i);
  expire();
  watcher_.watch(look.found.directories);
  looked_ = true;
  last_look_ = clock_.now();
  look_at_ = last_look_ + (waiting_ ? std::min(poll_interval_, kWatchCopies) : poll_interval_);
}

void FileTable::gather_known(Look& look) {
  for (const auto& [id, file] : files_) {
    KnownContent known;
    known.path = file->path;
    known.identity = file->identity;
    known.offset = file->line.begin;
    known.crc = file->line.crc;
    known.crc_known = file->crc_known;
    known.finished = file->finished;
    known.suspect = file->suspect;
    known.same_boot = file->same_boot;
    look.known.push_back(file.get());
    look.before.push_back(known);
  }
}

void FileTable::gather(Look& look) {
  std::vector<std::string> followed;
  for (const auto& [id, file] : files_)
    if (!file->finished) followed.push_back(file->path);
  look.found = discover(selections_, followed, stats_);
  gather_known(look);
  std::unordered_set<std::uint64_t> inodes;
  for (const KnownContent& known : look.before)
    if (!known.finished) inodes.insert(known.identity.inode);
  for (auto& [key, observed] : observed_) observed.used = false;
  for (const FoundFile& file : look.found.files)
    look.now.push_back(observe(file, inodes.contains(file.stat.inode)));
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    sources_[i]->named = look.found.named[i];
    sources_[i]->listing_problem = look.found.problems[i];
    sources_[i]->in_memory = false;
  }
}

SeenFile FileTable::observe(const FoundFile& file, bool is_known) {
  SeenFile seen;
  seen.path = file.path;
  seen.stat = file.stat;
  seen.named = file.named;
  seen.format = format_of_name(file.path);
  if (is_known) return seen;
  const Observed& before = observed(file.stat);
  seen.quiet = clock_.now() - before.since >= kQuiet;
  seen.head = before.head;
  seen.unreadable = before.unreadable;
  seen.crcs = before.crcs;
  return seen;
}

FileTable::Observed& FileTable::observed(const FileStat& stat) {
  Observed& observed = observed_[{stat.device, stat.inode}];
  observed.used = true;
  if (observed.size != stat.size || observed.mtime_ns != stat.mtime_ns ||
      observed.since == Instant{})
    observed = Observed{stat.size, stat.mtime_ns, clock_.now(), {}, false, {}, true};
  return observed;
}

std::vector<Change> FileTable::decide(Look& look) {
  for (int round = 0;; ++round) {
    Comparison comparison = compare(look.before, look.now, !looked_);
    if (comparison.questions.empty()) return std::move(comparison.changes);
    if (round == kMaxRounds) {
      waiting_ = true;
      return {};
    }
    for (const Question& question : comparison.questions) answer(look, question);
  }
}

// The answer goes into the snapshot, and is kept while the file stays as it is.
void FileTable::answer(Look& look, const Question& question) {
  SeenFile& seen = look.now[question.seen];
  auto content = open_content(seen);
  if (!question.crc_length) {
    auto head = content ? read_head(**content) : tl::unexpected(content.error());
    seen.unreadable = !head;
    if (head) seen.head = std::move(*head);
  } else {
    ContentCrc crc{*question.crc_length, std::nullopt};
    if (content) crc.crc = crc_of_content(**content, crc.length);
    seen.crcs.push_back(crc);
  }
  Observed& kept = observed(seen.stat);
  kept.head = seen.head;
  kept.unreadable = seen.unreadable;
  kept.crcs = seen.crcs;
}

// --- what to do about a change -------------------------------------------------------------------

void FileTable::apply(Look& look, const Change& change) {
  switch (change.kind) {
    case ChangeKind::kSame:
    case ChangeKind::kRenamed: return apply_seen(look, change);
    case ChangeKind::kNew:
    case ChangeKind::kSkipped: return apply_new(look, change);
    case ChangeKind::kTruncated: return apply_truncated(look, change);
    case ChangeKind::kTailLost: return apply_tail_lost(look, change);
    case ChangeKind::kResumed:
    case ChangeKind::kDuplicate: return apply_copy(look, change);
    case ChangeKind::kUnreadable: return apply_unreadable(look, change);
    case ChangeKind::kGone: return apply_gone(*look.known[*change.known]);
    case ChangeKind::kWait: waiting_ = true;
  }
}

void FileTable::own(TrackedFile& file, const FoundFile& found) {
  if (!file.owned || file.source != found.selection) {
    if (found.named || !file.owned) {
      if (file.owned) sources_[file.source]->files.erase(&file);
      file.source = found.selection;
      sources_[file.source]->files.insert(&file);
    }
  }
  if (!file.owned && !looked_) file.goal = found.stat.size;
  file.owned = true;
  file.size = found.stat.size;
  file.mtime_ns = found.stat.mtime_ns;
  file.in_memory = found.stat.in_memory;
  saw(file);
  if (file.in_memory) sources_[file.source]->in_memory = true;
  if (file.note.copytruncated) sources_[file.source]->copytruncated = true;
}

void FileTable::apply_seen(Look& look, const Change& change) {
  TrackedFile& file = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  own(file, found);
  file.gone = false;
  if (file.finished) {
    file.finished = false;
    file.dirty = true;
  }
  if (file.path != found.path) {
    file.path = found.path;
    file.dirty = true;
    make_urgent(file);
  }
  if (!found.named) file.leaving = true;
  file.identity.filesystem = found.stat.filesystem;
  file.format = look.now[*change.seen].format;
  if (file.note.compressed && file.format == Format::kPlain) file.note.complete = true;
  if (file.to_be_read() || !file.problem.empty()) make_ready(file);
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
  return file;
}

void FileTable::skip_to_end(TrackedFile& file, const FoundFile& found) {
  file.line = {found.stat.size, found.stat.size, 0, 0};
  file.committed = file.line.begin;
  file.crc_known = false;
  if (file.compressed()) file.note.complete = true;
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

void FileTable::apply_truncated(Look& look, const Change& change) {
  TrackedFile& old = *look.known[*change.known];
  const FoundFile& found = look.found.files[*change.seen];
  log::info("{} was truncated or replaced in place: read again from its start", found.path);
  make_urgent(old);
  const std::uint64_t reached = std::max(old.size, old.line.scanned);
  old.at_risk = old.owned && reached > old.line.begin ? reached - old.line.begin : 0;
  old.gone = true;
  old.gone_since = clock_.now();
  old.suspect = false;
  finish(old);
  SeenFile start;  // its start is learnt when it is read
  start.format = old.format;
  TrackedFile& fresh = track(found, start);
  fresh.note.copytruncated = true;
  sources_[fresh.source]->copytruncated = true;
  make_ready(fresh);
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
  copy.committed = change.offset;
  copy.leaving = true;
  log::debug("{} continues {} at byte {}", found.path, old.path, change.offset);
  if (change.kind == ChangeKind::kDuplicate) {
    copy.note.complete = copy.compressed();
    return;
  }
  if (!look.present[*change.known]) {
    old.at_risk = 0;
    old.gone = true;
    finish(old);
  }
  make_ready(copy);
}

void FileTable::apply_unreadable(Look& look, const Change& change) {
  const FoundFile& found = look.found.files[*change.seen];
  TrackedFile& file = track(found, look.now[*change.seen]);
  skip_to_end(file, found);
  std::uint64_t unread = 0;
  for (TrackedFile* known : look.known)
    if (known->gone && known->size > known->line.begin &&
        family_of(known->path) == family_of(found.path))
      unread = std::max(unread, known->size - known->line.begin);
  log::warn("{} is a rotation that cannot be read ({}): {}", found.path,
            look.now[*change.seen].unreadable
                ? "damaged, or not what its name says"
                : std::string(name(file.format)) + " is not supported",
            unread > 0 ? fmt::format("{} bytes of it were not read before", format_count(unread))
                       : std::string("what was not read before is not shipped"));
}

void FileTable::apply_gone(TrackedFile& file) {
  if (!file.gone) {
    file.gone = true;
    file.gone_since = clock_.now();
    if (file.owned) make_urgent(file);
  }
  if (file.fd.valid()) make_ready(file);
}

}  // namespace edgehose
