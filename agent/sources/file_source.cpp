#include "agent/sources/file_source.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/file_reader.h"
#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

// Read in one drain, at most, where nothing comes of it: a line without end, the part of a
// compressed file that was read before.
constexpr std::uint64_t kDrainBytes = 4u << 20;
constexpr Duration kUnsafePatience = std::chrono::seconds(1);
constexpr Duration kTellListingEvery = std::chrono::minutes(1);
constexpr Duration kLeaving = std::chrono::seconds(10);  // after the last change of a file's name

void watch_descriptor(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

class FileSource final : public Source {
 public:
  FileSource(std::shared_ptr<FileTable> table, std::size_t index)
      : table_(std::move(table)),
        index_(index),
        files_(table_->source(index)),
        reader_(files_.config, table_->clock()),
        events_(::epoll_create1(EPOLL_CLOEXEC)) {
    watch_descriptor(events_.get(), table_->event_fd());
    watch_descriptor(events_.get(), files_.waker.fd());
  }

  const std::string& name() const override { return files_.config.name; }
  int fd() const override { return events_.get(); }

  DrainResult drain(RecordSink& out) override {
    files_.waker.drain();
    table_->service(index_);
    reader_.bound(files_.config.max_open_files -
                  std::min(files_.config.max_open_files, files_.aside));
    const ReadCounts before = reader_.counts();
    const std::uint64_t begin = reader_.touched();
    while (!out.full() && reader_.touched() - begin < kDrainBytes) {
      TrackedFile* file = table_->next_ready(index_);
      if (file == nullptr) break;
      visit(*file, out);
    }
    flush_partials(out);
    tell_failures();
    tell_listing();
    files_.losses.truncated_records += reader_.counts().truncated - before.truncated;
    files_.losses.lost_bytes += reader_.counts().lost - before.lost;
    return result();
  }

  Status before_commit() override {
    std::vector<TrackedFile*> moved;
    for (TrackedFile* file : table_->moved_files(index_))
      if (file->line.begin != file->committed) moved.push_back(file);
    make_all_durable(moved);
    return {};
  }

  Status checkpoint(Store::Transaction& transaction) override {
    return table_->checkpoint(index_, transaction);
  }
  void settled(bool committed) override { table_->settled(index_, committed); }

  bool caught_up() const override {
    if (!table_->looked() || table_->waiting() || !files_.turns.empty()) return false;
    return std::all_of(files_.files.begin(), files_.files.end(), [](const TrackedFile* file) {
      return file->finished || file->note.complete || !file->problem.empty() ||
             file->line.begin >= file->goal;
    });
  }

  Duration commit_patience(Duration profile_limit) const override {
    const bool unsafe = files_.copytruncated || files_.in_memory || files_.nameless;
    return unsafe ? std::min(profile_limit, kUnsafePatience) : profile_limit;
  }

  SourceHealth health() const override;

 private:
  std::string no_match() const {
    std::string text = fmt::format("no file matches {}", fmt::join(files_.config.paths, ", "));
    if (const std::string hint = directory_hint(files_.config.paths); !hint.empty())
      return text + "; " + hint;
    if (!table_->environment().once)
      text += ": looked for every " + format_duration(files_.config.poll_interval);
    return text;
  }

  void visit(TrackedFile& file, RecordSink& out) {
    const std::uint64_t before = file.line.begin;
    switch (reader_.visit(file, out)) {
      case VisitEnd::kMore:
        file.unclear_since = {};
        table_->make_ready(file);
        break;
      case VisitEnd::kSuspect:
        file.suspect = true;
        reader_.close(file);
        table_->hold_back_younger(file);
        table_->look_again();
        break;
      case VisitEnd::kMoved:
      case VisitEnd::kUnclear:
        table_->hold_back_younger(file);
        table_->look_again();
        break;
      case VisitEnd::kDoubtful: table_->look_again(); break;
      case VisitEnd::kAtEnd:
        file.unclear_since = {};
        if (!files_.held_back.empty()) table_->look_soon();  // it may be what they wait for
        break;
      case VisitEnd::kFailed: break;
    }
    if (file.crc_known) set_mark(file.note.marks, file.line.begin, file.line.crc);
    if (file.line.begin != before) handed_in(file);
    if (file.line.unfinished() && !file.in_partial_list && !file.compressed()) {
      file.in_partial_list = true;
      partials_.push_back(&file);
    }
  }

  // A rotation may be compressed or deleted next: what it still gives is committed without delay. A
  // writer that stays on it goes on for ever, though, and each line would be a commit: after a
  // while it is a log like others, or can be read once only.
  void handed_in(const TrackedFile& file) {
    if (file.renamed == Instant{}) return;
    if (table_->clock().now() - file.renamed < kLeaving)
      files_.urgent = true;
    else if (file.gone)
      files_.nameless = true;
  }

  void tell_failures() {
    const auto failures = reader_.failures();
    if (!failures) return;
    const std::uint64_t more = failures->files - 1;
    log::warn("source {}: {}{}", name(), failures->first,
              more == 0 ? "" : fmt::format(" (and {} more)", format_count(more)));
  }

  // Of one that may not be opened, not of a directory.
  bool tells_of_file() const {
    const std::string& path = files_.unopened.example;
    return !path.empty() && files_.listing_problem.find(path) != std::string::npos;
  }

  // Once for each time that it begins, or another directory is the first one.
  void tell_listing() {
    const std::string& problem = files_.listing_problem;
    if (problem.empty()) listing_told_.clear();
    const Instant now = table_->clock().now();
    if (problem == listing_told_ || now < next_listing_report_) return;
    const std::size_t more = files_.unopened.files - (tells_of_file() ? 1 : 0);
    log::warn("source {}: {}{}", name(), problem,
              more == 0 ? "" : fmt::format(" (and {})", format_count(more, "other file")));
    listing_told_ = problem;
    next_listing_report_ = now + kTellListingEvery;
  }

  Instant partial_due(const TrackedFile& file) const {
    return table_->environment().once ? file.grown
                                      : file.grown + files_.config.partial_line_timeout;
  }

  void flush_partials(RecordSink& out) {
    std::erase_if(partials_, [&](TrackedFile* file) {
      if (!file->finished && file->line.unfinished()) {
        if (file->queued || out.full() || partial_due(*file) > table_->clock().now()) return false;
        reader_.flush_partial(*file, out);
        handed_in(*file);
      }
      file->in_partial_list = false;
      return true;
    });
  }

  DrainResult result() const {
    DrainResult result;
    result.more = table_->has_ready(index_);
    result.urgent = files_.urgent;
    result.next = table_->next_due(index_);
    for (const TrackedFile* file : partials_)
      result.next = std::min(result.next, partial_due(*file));
    return result;
  }

  // What was read of a file must survive a power cut before its position does.
  // One flush of the file system is cheaper than one for each of many files.
  static constexpr std::size_t kManyFiles = 32;

  void make_all_durable(const std::vector<TrackedFile*>& files) {
    std::set<std::uint64_t> flushed;
    for (TrackedFile* file : files) {
      if (flushed.contains(file->device)) continue;
      if (files.size() > kManyFiles && flush_file_system(*file))
        flushed.insert(file->device);
      else
        make_durable(*file);
    }
  }

  // False where it could not be: then each file is flushed by itself, and a failure told.
  bool flush_file_system(TrackedFile& file) {
    if (file.finished || file.in_memory) return false;
    const auto fd = reader_.descriptor(file);
    return fd && ::syncfs(*fd) == 0;
  }

  void make_durable(TrackedFile& file) {
    if (file.finished || file.in_memory || file.durable() || (file.gone && !file.fd.valid()))
      return;
    const auto fd = reader_.descriptor(file);
    if (!fd && !wants_descriptor(fd.error())) return;  // gone or replaced: nothing is to be kept
    if (fd && ::fdatasync(*fd) == 0) {
      file.durable_size = file.size;
      file.durable_mtime_ns = file.mtime_ns;
      return;
    }
    const int error = fd ? errno : fd.error().sys;
    if (error == EINVAL || error == EROFS) return;
    if (!sync_failed_)
      log::warn(
          "source {}: {} cannot be made durable ({}): after a power cut it may be shorter than "
          "what was read",
          name(), file.path, std::strerror(error));
    sync_failed_ = true;
  }

  std::shared_ptr<FileTable> table_;
  std::size_t index_;
  SourceFiles& files_;
  FileReader reader_;
  FileDescriptor events_;
  std::vector<TrackedFile*> partials_;
  bool sync_failed_ = false;
  std::string listing_told_;
  Instant next_listing_report_{};
};

SourceHealth FileSource::health() const {
  SourceHealth health;
  health.name = name();
  health.files = files_.named;
  health.read_bytes = reader_.counts().bytes;
  health.read_records = reader_.counts().records;
  health.losses = files_.losses;
  health.copied_bytes = files_.copied_bytes;
  std::size_t unreadable = 0;
  for (const TrackedFile* file : files_.files) {
    if (!file->gone && file->note.unreadable && unreadable++ == 0)
      health.problem = file->lost_text();
    if (file->finished || file->note.complete) continue;
    if (file->size > file->line.begin && !file->compressed())
      health.behind_bytes += file->size - file->line.begin;
    if (file->problem.empty()) continue;
    if (unreadable++ == 0) health.problem = file->problem;
  }
  const Unopened& unopened = files_.unopened;
  health.behind_bytes += unopened.bytes;
  unreadable += unopened.files;
  if (unopened.files > 0 && health.problem.empty())
    health.problem =
        tells_of_file() ? files_.listing_problem : unopened.example + " cannot be opened";
  if (unreadable > 1)
    health.problem += fmt::format(" (and {})", format_count(unreadable - 1, "other file"));
  if (!files_.listing_problem.empty() && !tells_of_file())
    health.problem += (health.problem.empty() ? "" : "; ") + files_.listing_problem;
  health.unreadable = !health.problem.empty();
  if (health.problem.empty() && table_->looked() && files_.named == 0) health.problem = no_match();
  if (health.problem.empty()) health.problem = table_->watch_problem();
  return health;
}

}  // namespace

Result<std::vector<std::unique_ptr<Source>>> make_file_sources(
    std::vector<FileSourceConfig> configs, Store& store, const Clock& clock,
    FileEnvironment environment) {
  std::vector<std::unique_ptr<Source>> sources;
  const std::size_t count = configs.size();
  if (count == 0) return sources;
  EH_CHECK(environment.open_files.empty() || environment.open_files.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    FileSourceConfig& config = configs[i];
    if (!environment.open_files.empty()) config.max_open_files = environment.open_files[i];
    config.exclude.insert(config.exclude.end(), environment.exclude.begin(),
                          environment.exclude.end());
  }
  EH_ASSIGN(auto table, FileTable::load(std::move(configs), store, clock, std::move(environment)));
  for (std::size_t i = 0; i < count; ++i) sources.push_back(std::make_unique<FileSource>(table, i));
  return sources;
}

}  // namespace edgehose
