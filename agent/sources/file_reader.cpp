#include "agent/sources/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/base/crc32c.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/discovery.h"

namespace edgehose {

namespace {
constexpr Duration kTellFailuresEvery = std::chrono::minutes(1);
}  // namespace

TrackedFile::TrackedFile() = default;
TrackedFile::~TrackedFile() = default;

FileReader::FileReader(const FileSourceConfig& config, const Clock& clock)
    : config_(config),
      clock_(clock),
      buffer_(kChunk),
      framer_(config.max_record_bytes),
      bound_(std::max<std::uint64_t>(1, config.max_open_files)) {}

// --- descriptors ---------------------------------------------------------------------------------

void FileReader::used(TrackedFile& file) {
  std::erase_if(open_, [&](TrackedFile* open) {
    if (open != &file && open->fd.valid()) return false;
    --open->open_lists;
    if (open == decoding_) decoding_ = nullptr;
    return true;
  });
  open_.push_front(&file);
  ++file.open_lists;
  while (open_.size() > bound_ && close_oldest(file)) {
  }
}

bool FileReader::close_oldest(const TrackedFile& but) {
  for (auto it = open_.end(); it != open_.begin();) {
    TrackedFile* oldest = *--it;
    // What has no name cannot be opened again; what is being decompressed has a second descriptor.
    if (oldest == &but || oldest->gone || oldest == decoding_ || !oldest->fd.valid()) continue;
    open_.erase(it);
    oldest->fd.reset();
    --oldest->open_lists;
    return true;
  }
  return false;
}

// Where descriptors ran out, whoever has them, one of ours is given for it.
Result<FileDescriptor> FileReader::open(const TrackedFile& file) {
  const auto try_it = [&] { return open_file(file.path, O_RDONLY | O_NONBLOCK | O_NOCTTY); };
  auto opened = try_it();
  if (!opened && wants_descriptor(opened.error()) && close_oldest(file)) opened = try_it();
  return opened;
}

void FileReader::close(TrackedFile& file) {
  file.fd.reset();
  file.content.reset();
  if (decoding_ == &file) decoding_ = nullptr;
}

Result<int> FileReader::descriptor(TrackedFile& file) {
  if (!file.fd.valid()) {
    EH_ASSIGN(file.fd, open(file));
    const auto stat = stats_.descriptor(file.fd.get());
    if (!stat || !same_inode(file.identity, *stat) || !stat->regular) {
      file.fd.reset();
      return fail(ErrorCode::kNotFound, "{} is another file now", file.path);
    }
  }
  used(file);
  return file.fd.get();
}

VisitEnd FileReader::failed(TrackedFile& file, const Error& error) {
  if (error.code == ErrorCode::kNotFound) return VisitEnd::kMoved;
  std::string problem = error.message;
  if (error.code == ErrorCode::kPermission) problem += "; " + how_to_grant(file.path, false);
  if (wants_descriptor(error)) problem += "; " + how_to_raise(error.sys);
  if (file.problem.empty() && ++failures_.files == 1) failures_.first = problem;
  file.problem = std::move(problem);
  return VisitEnd::kFailed;
}

std::optional<Failures> FileReader::failures() {
  const Instant now = clock_.now();
  if (failures_.files == 0 || (failures_told_ && now - *failures_told_ < kTellFailuresEvery))
    return std::nullopt;
  failures_told_ = now;
  return std::exchange(failures_, {});
}

Result<std::size_t> FileReader::read_at(TrackedFile& file, char* out, std::size_t size,
                                        std::uint64_t offset) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got =
        ::pread(file.fd.get(), out + filled, size - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading " + file.path);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

// --- is it still what was read? ------------------------------------------------------------------

bool FileReader::verify(TrackedFile& file, const FileStat& stat) {
  if (stat.size < file.line.begin) return false;
  if (stat.size < file.line.scanned) {  // only the unfinished line changed
    file.line.scanned = file.line.begin;
    file.line.scanned_crc = file.line.crc;
  }
  char head[kPrefixBytes];
  const auto got = read_at(file, head, sizeof head, 0);
  if (!got || !same_start(file.identity, {head, *got})) return false;
  if (*got > file.identity.prefix_length) {
    file.identity.prefix_length = static_cast<std::uint32_t>(*got);
    file.identity.prefix_hash = prefix_hash({head, *got});
  }
  if (file.line.scanned == 0) {
    const Format format = format_of_bytes({head, *got});
    if (format != Format::kPlain) {
      log::warn("source {}: {} holds {} data: it is not read as lines", config_.name, file.path,
                name(format));
      file.note.complete = true;
      file.dirty = true;
    }
  }
  return verify_tail(file);
}

bool FileReader::verify_tail(TrackedFile& file) {
  const std::uint32_t length = file.note.tail_length;
  if (length == 0 || file.note.tail_end != file.line.begin) return true;
  char tail[kTailBytes];
  const auto got = read_at(file, tail, length, file.line.begin - length);
  return got && *got == length && crc32c(0, {tail, length}) == file.note.tail_crc;
}

void remember_tail(TrackedFile& file, int fd) {
  const auto length =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(kTailBytes, file.line.begin));
  char tail[kTailBytes];
  const ssize_t got = ::pread(fd, tail, length, static_cast<off_t>(file.line.begin - length));
  const bool whole = got == static_cast<ssize_t>(length);
  file.note.tail_end = file.line.begin;
  file.note.tail_length = whole ? length : 0;
  file.note.tail_crc = whole ? crc32c(0, {tail, length}) : 0;
}

// Of the same size, all of it read: between its start and its end, which are as they were, other
// bytes may be.
bool FileReader::may_be_rewritten(const TrackedFile& file, const FileStat& stat) {
  return stat.size == file.verified_size && stat.size == file.line.scanned && file.crc_known &&
         file.line.begin > file.identity.prefix_length + file.note.tail_length;
}

// An empty rotation that is written to becomes a copy, or has a writer that was slow to reopen.
bool FileReader::begins_in_a_rotation(const TrackedFile& file, const FileStat& stat) {
  return file.empty() && stat.size > 0 && !file.gone;
}

// A rotation that held less than what tells contents apart, and grew since the last look.
bool FileReader::may_be_written_over(const TrackedFile& file, const FileStat& stat) {
  const std::uint32_t start = file.identity.prefix_length;
  return file.rotated && !file.gone && start > 0 && start < kPrefixBytes &&
         stat.size > kPrefixBytes && stat.size != file.size;
}

VisitEnd FileReader::doubt(TrackedFile& file) {
  if (file.doubted != Instant{}) return VisitEnd::kAtEnd;
  file.doubted = clock_.now();
  return VisitEnd::kDoubtful;
}

// --- plain files ---------------------------------------------------------------------------------

VisitEnd FileReader::visit(TrackedFile& file, RecordSink& out) {
  const std::uint64_t before = file.line.begin;
  const VisitEnd end = file.compressed() ? visit_compressed(file, out) : visit_plain(file, out);
  if (end != VisitEnd::kFailed) file.problem.clear();
  if (file.line.begin != before) file.dirty = true;
  return end;
}

VisitEnd FileReader::visit_plain(TrackedFile& file, RecordSink& out) {
  if (const auto fd = descriptor(file); !fd) return failed(file, fd.error());
  const auto stat = stats_.descriptor(file.fd.get());
  if (!stat) return failed(file, stat.error());
  if (begins_in_a_rotation(file, *stat)) return VisitEnd::kSuspect;
  if (may_be_written_over(file, *stat)) return VisitEnd::kUnclear;
  if (stat->size != file.verified_size || stat->mtime_ns != file.verified_mtime_ns) {
    if (!verify(file, *stat)) return VisitEnd::kSuspect;
    if (may_be_rewritten(file, *stat)) return doubt(file);
    file.verified_size = stat->size;
    file.verified_mtime_ns = stat->mtime_ns;
    file.doubted = {};
    file.visited = true;
  }
  file.size = stat->size;
  file.mtime_ns = stat->mtime_ns;
  if (file.note.complete) return VisitEnd::kAtEnd;

  const WallTime now = clock_.wall();
  const std::uint64_t begin = file.line.begin;
  std::size_t share = kShare;
  bool started = false;
  VisitEnd end = VisitEnd::kMore;
  while (share > 0 && !out.full()) {
    const std::size_t size = std::min({share, buffer_.size(), out.room()});
    const auto got = read_at(file, buffer_.data(), size, file.line.scanned);
    if (!got) return failed(file, got.error());
    if (*got == 0) {
      end = VisitEnd::kAtEnd;
      break;
    }
    const std::string_view chunk(buffer_.data(), *got);
    share -= chunk.size();
    touched_ += chunk.size();
    file.grown = clock_.now();
    if (!started && file.line.unfinished() && chunk.find('\n') == std::string_view::npos) {
      pass_over(file.line, chunk);  // a long line grows: not read again until it ends
      continue;
    }
    if (!started && !begin_line(file)) return VisitEnd::kSuspect;
    started = true;
    frame(file, framer_, chunk, out, now);
    file.line = framer_.position();
  }
  if (file.line.begin != begin) remember_tail(file, file.fd.get());
  return end;
}

// Gives the framer what it needs of the unfinished line.
bool FileReader::begin_line(TrackedFile& file) {
  const std::uint64_t length =
      std::min(file.line.scanned - file.line.begin, config_.max_record_bytes);
  std::string held(static_cast<std::size_t>(length), '\0');
  const auto got = read_at(file, held.data(), held.size(), file.line.begin);
  if (!got || *got != held.size()) return false;
  framer_.start(file.line, held);
  return true;
}

std::size_t FileReader::frame(TrackedFile& file, Framer& framer, std::string_view bytes,
                              RecordSink& out, WallTime now) {
  return framer.feed(
      bytes, [&](const Line& line) { return emit(file, line, out, now); },
      [&](std::string_view lines, std::uint64_t begin) {
        const TakenLines taken =
            out.append_lines({lines, now, file.id, begin, config_.max_record_bytes});
        counts_.records += taken.records;
        counts_.bytes += taken.bytes;
        return Framer::TakenAtOnce{taken.bytes, out.full()};
      });
}

bool FileReader::emit(TrackedFile& file, const Line& line, RecordSink& out, WallTime now) {
  NewRecord record;
  record.body = line.body;
  record.time = now;
  record.file = file.id;
  record.begin = line.begin;
  record.end = line.end;
  record.truncated = line.truncated;
  record.partial = line.partial;
  out.append(record);
  ++counts_.records;
  counts_.bytes += line.end - line.begin;
  counts_.truncated += line.truncated;
  return !out.full();
}

void FileReader::flush_partial(TrackedFile& file, RecordSink& out) {
  if (file.compressed() || file.finished || !file.line.unfinished()) return;
  if (const auto fd = descriptor(file); !fd) return;
  const auto stat = stats_.descriptor(file.fd.get());
  if (!stat || stat->size < file.line.scanned || !verify(file, *stat) || !begin_line(file)) return;
  const WallTime now = clock_.wall();
  framer_.flush([&](const Line& line) { return emit(file, line, out, now); });
  file.line = framer_.position();
  file.dirty = true;
  remember_tail(file, file.fd.get());
}

// --- compressed rotations ------------------------------------------------------------------------

VisitEnd FileReader::visit_compressed(TrackedFile& file, RecordSink& out) {
  if (file.note.complete || out.full()) return VisitEnd::kMore;
  if (!file.content) {
    if (const Status opened = open_compressed(file); !opened)
      return cut_off(file, out, opened.error());
  }
  return file.content->to_skip > 0 ? skip_compressed(file, out) : read_compressed(file, out);
}

// A share of what lies before the position.
VisitEnd FileReader::skip_compressed(TrackedFile& file, RecordSink& out) {
  std::uint64_t& to_skip = file.content->to_skip;
  for (std::size_t share = kShare; share > 0 && to_skip > 0;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip, kChunk));
    const auto got = file.content->bytes->read(buffer_.data(), std::min(share, size));
    if (!got) return cut_off(file, out, got.error());
    if (*got == 0)
      return cut_off(file, out, fail(ErrorCode::kCorrupt, "it ends before its position").value());
    to_skip -= *got;
    share -= *got;
    touched_ += *got;
  }
  return VisitEnd::kMore;
}

Status FileReader::open_compressed(TrackedFile& file) {
  if (decoding_ != nullptr) decoding_->content.reset();
  decoding_ = nullptr;
  EH_ASSIGN(const int fd, descriptor(file));
  if (const auto stat = stats_.descriptor(fd)) {  // what is read from here on
    file.verified_size = stat->size;
    file.verified_mtime_ns = stat->mtime_ns;
  }
  FileDescriptor own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) return fail_errno(errno, "reading " + file.path);
  EH_ASSIGN(auto bytes, open_content(std::move(own), file.format));
  file.line.scanned = file.line.begin;
  file.line.scanned_crc = file.line.crc;
  file.content = std::make_unique<OpenContent>(
      OpenContent{std::move(bytes), Framer(config_.max_record_bytes), {}, file.line.begin});
  file.content->framer.start(file.line, {});
  decoding_ = &file;
  return {};
}

VisitEnd FileReader::read_compressed(TrackedFile& file, RecordSink& out) {
  OpenContent& content = *file.content;
  const WallTime now = clock_.wall();
  for (std::size_t share = kShare; share > 0 && !out.full();) {
    if (content.untaken.empty()) {
      const auto got = content.bytes->read(buffer_.data(), buffer_.size());
      if (!got) return cut_off(file, out, got.error());
      if (*got == 0) return end_of_compressed(file, out);
      content.untaken.assign(buffer_.data(), *got);
      touched_ += *got;
      file.grown = clock_.now();
    }
    const std::size_t taken = frame(file, content.framer, content.untaken, out, now);
    content.untaken.erase(0, taken);
    file.line = content.framer.position();
    share -= std::min(share, taken);
  }
  return VisitEnd::kMore;
}

// Damage lasts: what lies before it was read. What is behind it nobody knows: the file's own size
// stands for it. Other failures may pass: it is opened again.
VisitEnd FileReader::cut_off(TrackedFile& file, RecordSink& out, const Error& error) {
  if (error.code != ErrorCode::kCorrupt && error.code != ErrorCode::kUnsupported) {
    file.content.reset();
    return failed(file, error);
  }
  const std::uint64_t size = file.verified_size == UINT64_MAX ? file.size : file.verified_size;
  file.note.unreadable = true;
  counts_.lost += size;
  const VisitEnd end = end_of_compressed(file, out);
  log::warn("source {}: {}; counted as lost: {} (compressed): {}", config_.name, file.lost_text(),
            format_size(size), error.message);
  return end;
}

// Compressed files do not grow: their last line ships at once.
VisitEnd FileReader::end_of_compressed(TrackedFile& file, RecordSink& out) {
  const WallTime now = clock_.wall();
  if (file.content) {
    file.content->framer.flush([&](const Line& line) { return emit(file, line, out, now); });
    file.line = file.content->framer.position();
  }
  file.note.complete = true;
  file.dirty = true;
  close(file);
  return VisitEnd::kAtEnd;
}

}  // namespace edgehose
