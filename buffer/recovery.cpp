#include "buffer/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/archive.h"
#include "buffer/copies.h"
#include "buffer/environment_check.h"
#include "buffer/find_blocks.h"
#include "buffer/keyspace.h"
#include "buffer/new_environment.h"
#include "buffer/quarantine.h"
#include "buffer/remaining_tree.h"
#include "buffer/set_aside.h"

namespace edgehose {
namespace {

bool is_empty(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && st.st_size == 0;
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno(errno, fmt::format("renaming {} to {}", from, to));
  return sync_directory(parent_directory(to));
}

// Listed blocks are checked so long after the start began, and so long at least: intake is to begin
// within 5 s.
constexpr Duration kCheckedBlocks = std::chrono::milliseconds(3500);
constexpr Duration kCheckedAtLeast = std::chrono::seconds(1);

bool is_wrapped_key(std::string_view key) { return key.starts_with(keyspace::kDataKeyPrefix); }

// Whether the copies are of a later commit than these entries.
bool is_later(const ControlEntries& copies, const ControlEntries& entries) {
  return std::ranges::any_of(copies, [&](const auto& copied) {
    const auto& [key, value] = copied;
    const auto other = entries.find(key);
    if (other == entries.end() || other->second == value) return false;
    if (key == keyspace::counters_key()) {
      const auto a = keyspace::decode_counters(value), b = keyspace::decode_counters(other->second);
      return a && b &&
             (a->next_block > b->next_block || a->next_claim > b->next_claim ||
              a->next_dead_letter > b->next_dead_letter || a->next_source > b->next_source ||
              a->next_sink > b->next_sink || a->next_file > b->next_file);
    }
    if (!key.starts_with(keyspace::kLanePrefix)) return false;
    const auto a = keyspace::decode_lane(key, value), b = keyspace::decode_lane(key, other->second);
    return a && b && a->cursor > b->cursor;
  });
}

class Recovery {
 public:
  Recovery(const StoreOptions& options, const Clock& clock, EnvironmentCheck check, Instant began)
      : options_(options),
        clock_(clock),
        check_(std::move(check)),
        check_until_(std::max(began + kCheckedBlocks, clock.now() + kCheckedAtLeast)),
        path_(options.directory + "/" + std::string(keyspace::kEnvironmentFile)),
        fresh_(path_ + ".salvaging") {}

  Result<RecoveryReport> run() {
    report_.damaged = true;
    report_.reason = check_.reason;
    if (!check_.complete && check_.newest) EH_TRY(read_what_remains());
    ControlEntries entries = best_entries();
    EH_TRY(refuse_later_format(entries));
    take_out_salvage(entries);
    EH_ASSIGN(Keyring keys, open_keys(entries));
    Rebuild rebuild(entries, check_.complete, keys);
    find_files();
    EH_ASSIGN(FoundBlocks found, find_blocks({files_, check_, tree_ ? &*tree_ : nullptr,
                                              check_until_, keys, rebuild, options_, clock_}));
    report_.stale = found.stale;
    report_.damaged_blocks = found.damaged;
    report_.unreadable_blocks = found.unreadable;
    report_.scan_complete = found.complete;
    EH_ASSIGN(Referred made, make_environment({fresh_, files_, salvage_, options_},
                                              std::move(found.blocks), rebuild, keys));
    report_.blocks = made.blocks;
    report_.records = made.records;
    report_.left_out = made.left_out;
    report_.losses = std::move(made.losses);
    EH_TRY(put_in_place(made.salvage));
    limit_quarantines(options_);
    if (!name_exists(report_.quarantine)) report_.quarantine.clear();
    return report_;
  }

 private:
  // A salvage by a release that does not know all of it would lose what it does not know.
  static Status refuse_later_format(const ControlEntries& entries) {
    const auto entry = entries.find(keyspace::format_key());
    if (entry == entries.end()) return {};
    const auto format = keyspace::decode_format(entry->second);
    return format ? keyspace::check_format(*format, "the buffer, which is damaged,") : Status{};
  }

  // LMDB could not walk the tree to its end.
  Status read_what_remains() {
    auto tree =
        read_remaining_tree(path_, check_.newest->meta, check_.newest->certain, options_.keys);
    if (!tree && is_unreadable(tree.error())) return tl::unexpected(tree.error());
    if (!tree) return {};
    // It may be of the last commit but one.
    const auto copies = read_copies(options_.directory);
    if (!tree->certain && copies && is_later(*copies, tree->entries)) return {};
    check_.complete = tree->certain;
    check_.entries = std::move(tree->entries);
    check_.blocks = std::move(tree->blocks);
    tree_ = std::move(*tree);
    return {};
  }

  // The last commit's where they are whole; else the copies, and of the environment what they lack.
  ControlEntries best_entries() const {
    ControlEntries entries = check_.entries;
    if (check_.complete || tree_) return entries;
    if (const auto copies = read_copies(options_.directory))
      for (const auto& [key, value] : *copies) entries.insert_or_assign(key, value);
    return entries;
  }

  // A wrong or missing key stops here, before anything is touched.
  Result<Keyring> open_keys(const ControlEntries& entries) {
    std::vector<std::string> stored;
    for (const auto& [key, value] : entries)
      if (is_wrapped_key(key)) stored.push_back(value);
    return Keyring::open_whole(stored, options_.keys);
  }

  // What earlier salvages counted goes on; where their files are is seen by looking.
  void take_out_salvage(ControlEntries& entries) {
    const auto entry = entries.find(keyspace::salvage_key());
    if (entry == entries.end()) return;
    if (const auto before = keyspace::decode_salvage(entry->second)) salvage_ = *before;
    salvage_.archives.clear();
    entries.erase(entry);
  }

  // The damaged file, and those of earlier salvages that still hold something.
  void find_files() {
    files_ = archive_files(options_.directory);
    const std::uint32_t id = files_.empty() ? 1 : files_.back().id + 1;
    files_.push_back({id, path_});
  }

  // Between the two renames a crash leaves no buffer.mdb, and a whole .salvaging: the next start
  // puts that in place.
  Status put_in_place(const SalvageState& salvage) {
    ::unlink((fresh_ + "-lock").c_str());
    const std::uint32_t id = files_.back().id;
    const bool referred =
        std::ranges::find(salvage.archives, id, &ArchiveState::id) != salvage.archives.end();
    report_.archived = referred;
    report_.empty = is_empty(path_);
    if (!report_.empty) {
      report_.quarantine = referred ? archive_path(options_.directory, id)
                                    : free_quarantine_path(options_.directory, clock_);
      EH_TRY(rename_file(path_, report_.quarantine));
    }
    ::unlink((path_ + "-lock").c_str());
    return rename_file(fresh_, path_);
  }

  const StoreOptions& options_;
  const Clock& clock_;
  EnvironmentCheck check_;
  const Instant check_until_;
  const std::string path_, fresh_;
  std::optional<RemainingTree> tree_;  // what it held is in check_
  std::vector<ArchiveFile> files_;     // to be searched; the damaged one last
  SalvageState salvage_;               // what earlier salvages counted
  RecoveryReport report_;
};

}  // namespace

std::string RecoveryReport::words() const {
  if (!damaged) return "the buffer is sound";
  std::string text =
      fmt::format("the buffer was damaged ({}): {} records in {} blocks were salvaged", reason,
                  format_count(records), format_count(blocks));
  if (losses.corrupt.records > 0)
    text += fmt::format("; {} records are lost to their sinks (counted as dropped: corrupt)",
                        format_count(losses.corrupt.records));
  if (damaged_blocks > 0) text += fmt::format("; {} blocks fail their check", damaged_blocks);
  if (unreadable_blocks > 0)
    text += fmt::format("; the data key of {} encrypted blocks is lost", unreadable_blocks);
  if (left_out > 0)
    text += fmt::format(
        "; for the {} oldest blocks there is no room: {} records are lost to their sinks (counted "
        "as dropped: buffer_full), unless their files still have them",
        format_count(left_out), format_count(losses.left_out.records));
  if (losses.corrupt.records > 0 || damaged_blocks > 0)
    text += "; what files still hold of it is read again, and may come twice";
  if (!scan_complete) text += "; the scan was ended early";
  for (const std::string& assumption : losses.assumed) text += "; " + assumption;
  if (archived)
    return text + fmt::format(
                      ". They are delivered out of the damaged file, which is {} until then: it "
                      "belongs to the buffer, leave it there",
                      quarantine);
  if (empty) return text + ". Nothing was left of the file";
  if (quarantine.empty())
    return text + ". The damaged file was not kept: it did not fit into buffer.max_size";
  return text +
         fmt::format(
             ". The damaged file is kept as {}: 'edgehose buffer export --file' reads it; delete "
             "it when it is of no use",
             quarantine);
}

namespace {
Result<RecoveryReport> recover(const StoreOptions& options, const Clock& clock,
                               EnvironmentCheck check, Instant began) {
  log::error("buffer: {}/{} is damaged ({}); salvaging what can be read", options.directory,
             keyspace::kEnvironmentFile, check.reason);
  EH_ASSIGN(RecoveryReport report, Recovery(options, clock, std::move(check), began).run());
  log::error("buffer: {}", report.words());
  return report;
}

// The copies beside it tell that there was a buffer. Where they cannot be opened, somebody moved it
// away with a key that is lost.
Result<RecoveryReport> recover_missing(const StoreOptions& options, const Clock& clock,
                                       const std::string& path) {
  EnvironmentCheck check;
  check.reason = "the file is gone";
  auto recovered = [&]() -> Result<RecoveryReport> {
    if (!read_copies(options.directory)) return RecoveryReport{};
    EH_ASSIGN(const FileDescriptor placeholder, open_file(path, O_WRONLY | O_CREAT | O_EXCL));
    return recover(options, clock, std::move(check), clock.now());
  }();
  if (recovered ? recovered->damaged : recovered.error().code != ErrorCode::kAuth) return recovered;
  if (is_empty(path)) ::unlink(path.c_str());
  if (remove_copies(options.directory))
    log::warn(
        "there is no buffer in {}, only its copy, which cannot be opened: starting an empty one",
        options.directory);
  return RecoveryReport{};
}
}  // namespace

Result<RecoveryReport> recover_if_needed(const StoreOptions& options, const Clock& clock) {
  const std::string path = options.directory + "/" + std::string(keyspace::kEnvironmentFile);
  const std::string fresh = path + ".salvaging";
  EH_TRY(finish_setting_aside(options, clock));
  if (!name_exists(path) && name_exists(fresh)) EH_TRY(rename_file(fresh, path));
  ::unlink(fresh.c_str());
  const Instant began = clock.now();
  EnvironmentCheck check;
  const bool missing = !name_exists(path);
  if (!missing) {
    EH_ASSIGN(check, check_environment(path, options));
  }
  if (check.sound) return RecoveryReport{};
  if (check.unreadable) {
    EH_TRY(set_aside(options, clock, *check.unreadable, std::move(check.entries)));
    return RecoveryReport{};
  }
  auto recovered = missing ? recover_missing(options, clock, path)
                           : recover(options, clock, std::move(check), began);
  if (recovered || !is_unreadable(recovered.error())) return recovered;
  EH_TRY(set_aside(options, clock, recovered.error(), {}));
  return RecoveryReport{};
}

}  // namespace edgehose
