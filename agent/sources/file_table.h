// FileTable: every content that any file source follows, and the looks that keep it true.
//
// A look walks the globs (discovery.h), compares what is there with what is known (rotation.h) and
// acts on the changes. Looks happen when inotify reports names that changed (at most one each
// kLookPause), when a copy being made must be watched, and at every poll interval. Of many files
// that only stand there, all of them watched, a poll interval's look is left out (rest.cpp).
//
// Threading: the intake thread. Memory: README.md. Bounds: kMaxFinished finished contents, each for
// at most kKeepFinished after it was last seen. That is counted in *service*, the time that this
// agent has been running in all its lives, as far as positions tell: a wall clock that jumps by
// years must not make it forget what it read.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/base/clock.h"
#include "agent/sources/content.h"
#include "agent/sources/discovery.h"
#include "agent/sources/file_config.h"
#include "agent/sources/file_source.h"
#include "agent/sources/rotation.h"
#include "agent/sources/tracked_file.h"
#include "agent/sources/watcher.h"
#include "buffer/store.h"

namespace edgehose {

constexpr std::size_t kMaxFinished = 100'000;
constexpr Duration kKeepFinished = std::chrono::hours(24 * 30);
constexpr Duration kLookPause = std::chrono::milliseconds(100);
constexpr Duration kQuiet = std::chrono::seconds(2);  // a copy that stood still so long is made
constexpr Duration kOldEnough = 5 * kQuiet;           // by the wall clock and the file's time
constexpr Duration kWaitForQuiet = std::chrono::seconds(60);
constexpr Duration kWatchCopies = std::chrono::seconds(1);  // between looks while some are made
// What is younger waits at most so long for an older rotation that is not clear yet.
constexpr Duration kHoldBack = 5 * kQuiet;
// A file that is touched all the time is compared no faster than this.
constexpr std::uint64_t kDoubtBytesPerSecond = 20u << 20;
// Files that rest are looked at this fast, and after so many poll intervals at the latest.
constexpr std::size_t kRestingPerSecond = 50;
constexpr int kMaxRest = 30;
constexpr std::uint64_t kHashShare = 4u << 20;  // bytes of contents hashed in one step, at most
constexpr Duration kGivenUpAfter =
    std::chrono::seconds(60);  // a vanished file that has not come back

// Where a file stands in its family: rotations first, and of them the one written to longest ago;
// where the file system's clock did not tick in between, the one born or else found first: one
// always is, or two compressed files would be begun in turns for ever.
struct FileAge {
  bool in_use = false;  // it has its family's name
  std::int64_t mtime_ns = 0;
  std::int64_t birth_ns = 0;
  std::uint32_t id = UINT32_MAX;  // not known yet: after all others
  auto operator<=>(const FileAge&) const = default;
};

// Of max_open_files, for files without a name, and again for files that may lose theirs unread.
constexpr std::uint64_t held_limit(std::uint64_t max_open_files) {
  return std::max<std::uint64_t>(1, max_open_files / 4);
}

// Files that nobody can place, since they may not be opened: as of the last look.
struct Unopened {
  std::size_t files = 0;
  std::uint64_t bytes = 0;  // of plain ones: all of it may be new
  std::string example;      // a path; the one that listing_problem tells of, where it is there
};

// What the table keeps for each source.
struct SourceFiles {
  explicit SourceFiles(FileSourceConfig c) : config(std::move(c)) {}
  FileSourceConfig config;
  std::unordered_set<TrackedFile*> files;
  // Files to read from, by family; families take turns. FileTable::next_ready() takes them.
  std::unordered_map<std::size_t, std::vector<TrackedFile*>> ready;
  std::deque<std::size_t> turns;
  // Families of logs that were truncated in place: what waits there may be, too.
  std::unordered_set<std::size_t> truncating;
  // By family: files younger than this wait for the next look, which finds or decides an older one.
  std::unordered_map<std::size_t, FileAge> held_back;
  Waker waker;  // wakes this source for what another one's drain() found
  std::size_t named = 0;
  bool known_before = false;  // an earlier process read this source: "the very first look" is over
  std::string listing_problem;
  Unopened unopened;
  SourceLosses losses, written, committed;  // ever; in the transaction at hand; durable
  std::uint64_t copied_bytes = 0;           // since the start: not read, in files taken for copies
  std::uint64_t aside = 0;  // descriptors open beside the reader's, at most held_limit()
  bool copytruncated = false;
  bool in_memory = false;
  bool nameless = false;  // of what is not committed, some is from files without a name
  bool urgent = false;

  std::uint64_t held_limit() const { return edgehose::held_limit(config.max_open_files); }
};

class FileTable {
 public:
  static Result<std::shared_ptr<FileTable>> load(std::vector<FileSourceConfig> configs,
                                                 Store& store, const Clock& clock,
                                                 FileEnvironment environment);
  ~FileTable();

  // Takes in what inotify reports, looks where a look is due, goes on with a hash. Called at every
  // drain() of a source.
  void service(std::size_t source);
  // A look as soon as one is allowed.
  void look_soon();
  // The same, and until then waiting(): what is there now is not known.
  void look_again();
  Instant next_due(std::size_t source) const;

  SourceFiles& source(std::size_t index) { return *sources_[index]; }
  const SourceFiles& source(std::size_t index) const { return *sources_[index]; }
  const Clock& clock() const { return clock_; }
  const FileEnvironment& environment() const { return environment_; }

  void make_ready(TrackedFile& file);
  // The next file to read from. Families take turns; in a family the file written to longest ago
  // goes first, so that a rotated set arrives in order. Null: none.
  TrackedFile* next_ready(std::size_t source);
  bool has_ready(std::size_t source) const;
  // Only a look can tell where the file is: until then no younger one of its family is read, for
  // kHoldBack at most.
  void hold_back_younger(TrackedFile& file);

  // The moved positions of a source, into the transaction; then what came of it.
  std::vector<TrackedFile*> moved_files(std::size_t source) const;
  Status checkpoint(std::size_t source, Store::Transaction& transaction);
  void settled(std::size_t source, bool committed);

  void finish(TrackedFile& file);  // nothing more will come of it

  bool looked() const { return looked_; }
  // For a copy to be made or read, or for a look that will find what became of a file.
  bool waiting() const { return waiting_ || look_again_; }
  int event_fd() const { return events_.get(); }
  const std::string& watch_problem() const { return watcher_.problem(); }
  std::size_t size() const { return files_.size(); }

 private:
  struct Observed {     // of a file that is not clear yet
    FileDescriptor fd;  // while it waits: its name may go before it is clear what it is
    std::string path;
    std::size_t selection = 0;
    bool waits = false;
    bool refused = false;   // it could not be opened or read; one that is replaced is not refused
    bool unopened = false;  // refused in this look, and it waits for that
    Instant nameless_since{};
    FileStat stat;
    Instant first{};  // when it was first seen
    Instant since{};  // when size and time were last seen to change
    std::optional<std::string> head;
    bool unreadable = false;
    std::vector<ContentCrc> crcs;
    bool used = false;
    bool first_look = false;  // first seen in it
  };
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
  // The content that is being hashed: one at a time, a step at every drain() of its source.
  struct Hashing {
    FileKey file;
    FileStat stat;
    std::size_t source = 0;
    Format format = Format::kPlain;
    ContentHasher hasher;
    std::vector<ContentCrc> answers{};  // given so far
    bool failed = false;
    bool wanted = false;  // asked for in this look
    bool over() const { return failed || hasher.done(); }
    std::optional<ContentCrc> answer(std::uint64_t length) const;
  };
  struct Look {
    Discovery found;
    std::vector<TrackedFile*> known;
    std::vector<KnownContent> before;
    std::vector<SeenFile> now;   // by found.files
    std::size_t with_names = 0;  // of `now`; the others are held descriptors
    std::vector<bool> present;   // by known
    bool undecided = false;      // names changed meanwhile: nothing is known
    bool unanswered = false;     // too many questions: what they are about waits
    bool soon = false;           // and it is worth looking again at once
    bool doubts = false;         // of a file whose time changed just now
  };

  FileTable(std::vector<FileSourceConfig> configs, Store& store, const Clock& clock,
            FileEnvironment environment);
  Status load_positions();
  void listen(bool on);

  static void let_decompressed_go_first(SourceFiles& source);
  static bool held_back(const SourceFiles& source, std::size_t family, const TrackedFile& file);
  void hold_back(const Look& look, const std::vector<Change>& changes);
  static void release_held_back(SourceFiles& source);

  void look();
  Duration rest(const Look& look) const;
  bool settled() const;
  bool may_rest();
  bool as_listed();
  void watch_wall_clock();
  void gather(Look& look);
  void gather_known(Look& look);
  void tell_own(const std::vector<OwnOutput>& own);
  bool doubtful(const TrackedFile& file, Look& look) const;
  void gather_nameless(Look& look);
  SeenFile observe(const FoundFile& file, bool is_known);
  bool quiet(const Observed& observed) const;
  std::vector<Change> decide(Look& look);
  bool answer(Look& look, const Question& question);
  Status read_answer(const FoundFile& found, SeenFile& seen, const Question& question);
  Result<std::optional<ContentCrc>> hash(const FoundFile& found, Format format,
                                         std::uint64_t length);
  bool continues(const FoundFile& found, Format format, std::uint64_t length);
  void hash_on(std::size_t source);
  void end_hashing(const Look& look);
  Result<FileDescriptor> open_seen(const FoundFile& found);
  void tell_unopened(const FoundFile& found, const Error& error);
  void hide(Look& look);
  void let_go();
  Observed& observed(const FileStat& stat);

  void apply(Look& look, const Change& change);
  void apply_seen(Look& look, const Change& change);
  static void go_on_inside(TrackedFile& file);
  void believe(TrackedFile& file, const FoundFile& found);
  void apply_new(Look& look, const Change& change);
  static std::optional<std::uint64_t> unread_before(const TrackedFile& old, std::uint64_t size);
  void end_content(TrackedFile& old, std::optional<std::uint64_t> unread);
  void apply_truncated(Look& look, const Change& change);
  void apply_overwritten(Look& look, const Change& change);
  void apply_tail_lost(Look& look, const Change& change);
  void apply_copy(Look& look, const Change& change);
  void tell_copy(const TrackedFile& copy, const TrackedFile& old, const Change& change);
  void apply_unreadable(Look& look, const Change& change);
  const TrackedFile* compressed_from(const Look& look, const FoundFile& found) const;
  void apply_gone(TrackedFile& file);
  bool place_without_name(TrackedFile& file);
  void apply_wait(Look& look, const Change& change);
  TrackedFile& track(const FoundFile& found, const SeenFile& seen);
  void own(TrackedFile& file, const FoundFile& found);
  void note_truncation(std::size_t source, std::string_view path);
  void skip_to_end(TrackedFile& file, const FoundFile& found);
  static void complete_as_it_is(TrackedFile& file, const FoundFile& found);
  void make_urgent(TrackedFile& file);
  void lose_name(TrackedFile& file);

  void bound_held(std::size_t source);
  bool still_to_be_read(const TrackedFile& file) const;
  void forget_observed(bool undecided);
  void count_unopened();
  void give_up(Observed& observed);
  void set_aside(std::size_t source);
  bool open_aside(TrackedFile* file, Observed* observed);
  static void learn_start(TrackedFile& file, const FileDescriptor& fd);
  static void learn_start(TrackedFile& file, std::string_view head);
  static void take_compared_start(TrackedFile& file, const SeenFile& seen);
  void expire();
  void count_lost(const TrackedFile& file, std::uint64_t bytes, std::string_view why);
  void forget_old();
  FileState state_of(const TrackedFile& file) const;
  std::uint64_t service_seconds() const;
  void saw(TrackedFile& file) const;

  Store& store_;
  const Clock& clock_;
  FileEnvironment environment_;
  mutable StatCache stats_;
  std::vector<FileSelection> selections_;
  std::vector<std::unique_ptr<SourceFiles>> sources_;
  std::unordered_map<std::uint32_t, std::unique_ptr<TrackedFile>> files_;
  std::unordered_map<std::string_view, TrackedFile*> by_path_;
  std::map<FileKey, Observed> observed_;
  std::set<FileKey> told_own_;  // at most one for each of environment_.output
  std::unique_ptr<Hashing> hashing_;
  std::uint64_t hash_share_ = 0;  // left for this look
  bool hash_waits_ = false;       // a question that has no turn yet
  std::vector<FileId> to_erase_;
  std::size_t erasing_ = 0;  // of them, in the transaction at hand

  Watcher watcher_;
  FileDescriptor events_;  // epoll over the watcher: left out for a while after each event
  bool listening_ = false;
  Instant listen_at_ = kNever;
  Instant look_at_{};  // the first look is due at once
  Instant last_look_{};
  Instant rest_until_{};  // until then looks may be left out; earlier than look_at_: none may
  std::map<std::string, FileStat> directories_;  // of the last look
  std::optional<Duration> wall_lead_;            // of the wall clock, at the last look
  std::optional<Instant> stepped_;               // when it was last seen to have jumped
  Duration poll_interval_;
  Instant loaded_at_;
  std::uint64_t served_before_ = 1;  // seconds of earlier lives
  int undecided_ = 0;                // looks in a row
  bool looked_ = false;
  bool waiting_ = false;
  bool look_again_ = false;
  bool starved_ = false;  // in this look something could not be opened for want of descriptors
};

}  // namespace edgehose
