#include "buffer/recovery.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"
#include "buffer/device.h"
#include "buffer/environment_check.h"
#include "buffer/find_blocks.h"
#include "buffer/keyspace.h"
#include "buffer/machine.h"
#include "buffer/quarantine.h"

namespace edgehose {
namespace {

constexpr std::size_t kBatchBlocks = 16384;
constexpr std::uint64_t kDiskKept = 16ull << 20;

bool exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno(errno, fmt::format("renaming {} to {}", from, to));
  return sync_directory(parent_directory(to));
}

// In the new file, its key and a page's slack included.
std::uint64_t reference_space(const BlockSummary& block) {
  return block.head + kReferenceBytes + 64;
}

bool is_wrapped_key(std::string_view key) { return key.starts_with(keyspace::kDataKeyPrefix); }

class Recovery {
 public:
  Recovery(const StoreOptions& options, const Clock& clock, EnvironmentCheck check)
      : options_(options),
        clock_(clock),
        check_(std::move(check)),
        path_(options.directory + "/" + std::string(keyspace::kEnvironmentFile)),
        fresh_(path_ + ".salvaging") {}

  Result<RecoveryReport> run() {
    report_.damaged = true;
    report_.reason = check_.reason;
    ControlEntries entries = best_entries();
    take_out_salvage(entries);
    EH_ASSIGN(Keyring keys, open_keys(entries));
    Rebuild rebuild(entries, check_.complete, keys);
    find_files();
    EH_ASSIGN(FoundBlocks found, find_blocks({files_, check_, keys, rebuild, options_, clock_}));
    report_.stale = found.stale;
    report_.damaged_blocks = found.damaged;
    report_.unreadable_blocks = found.unreadable;
    report_.scan_complete = found.complete;
    std::vector<BlockSummary>& blocks = found.blocks;
    EH_TRY(build(blocks, rebuild, keys));
    EH_TRY(put_in_place());
    limit_quarantines(options_);
    if (!exists(report_.quarantine)) report_.quarantine.clear();
    return report_;
  }

 private:
  // The last commit's where they are whole; else the copies, and of the environment what they lack.
  ControlEntries best_entries() const {
    ControlEntries entries = check_.entries;
    if (check_.complete) return entries;
    if (const auto copies = read_copies(options_.directory))
      for (const auto& [key, value] : *copies) entries.insert_or_assign(key, value);
    return entries;
  }

  // A wrong or missing key stops here, before anything is touched.
  Result<Keyring> open_keys(const ControlEntries& entries) {
    std::vector<std::string> stored;
    for (const auto& [key, value] : entries)
      if (is_wrapped_key(key)) stored.push_back(value);
    auto ring = Keyring::open(stored, options_.keys);
    if (ring || ring.error().code != ErrorCode::kCorrupt) return ring;
    // Damage ate a wrapped key: go on with those that are whole.
    std::vector<std::string> whole;
    for (const std::string& wrapped : stored) {
      const auto one = Keyring::open({wrapped}, options_.keys);
      if (one)
        whole.push_back(wrapped);
      else if (one.error().code != ErrorCode::kCorrupt)
        return tl::unexpected(one.error());
    }
    return Keyring::open(whole, options_.keys);
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

  // Room for references without going below the disk's floor; where that is reached already, what
  // the damaged file had set aside for such a time.
  Result<std::uint64_t> room_for_references() const {
    std::uint64_t reserve = 0;
    if (const auto fd = open_file(path_, O_RDWR)) {
      struct stat st {};
      if (::fstat(fd->get(), &st) == 0 && ::ftruncate(fd->get(), st.st_size) == 0)
        reserve = std::min<std::uint64_t>(options_.reserve, kDiskKept);
    }
    EH_ASSIGN(const DiskSpace disk, disk_space(options_.directory));
    const std::uint64_t floor = disk.size / 100 * options_.free_disk_percent;
    const std::uint64_t above = disk.free - std::min(disk.free, floor);
    return std::max(above, std::min(reserve, disk.free / 2));
  }

  // Leaves out the oldest where not all of their references fit, or they lie in too many files.
  Status fit(std::vector<BlockSummary>& blocks, const lmdb::Environment& env) {
    EH_ASSIGN(const std::uint64_t disk, room_for_references());
    const std::uint64_t room = std::min(env.map_size() / 2, disk);
    if (files_.size() > kMaxArchives)
      std::erase_if(blocks, [&](const BlockSummary& block) {
        const bool out = block.archive < files_[files_.size() - kMaxArchives].id;
        report_.left_out += out ? 1 : 0;
        return out;
      });
    std::uint64_t used = 0;
    std::size_t first = blocks.size();
    while (first > 0 && used + reference_space(blocks[first - 1]) <= room)
      used += reference_space(blocks[--first]);
    report_.left_out += first;
    blocks.erase(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(first));
    return {};
  }

  Status build(std::vector<BlockSummary>& blocks, Rebuild& rebuild, const Keyring& keys) {
    ::unlink(fresh_.c_str());
    EH_TRY(lmdb::Environment::create(fresh_, [](lmdb::Transaction& txn) -> Status {
      return txn.put(keyspace::format_key(), keyspace::encode_format(keyspace::kFormat));
    }));
    EH_ASSIGN(lmdb::Environment env,
              lmdb::Environment::open(fresh_, lmdb::map_size_for(options_.max_size), false));
    EH_TRY(fit(blocks, env));
    EH_TRY(refer_to(blocks, env, rebuild));
    EH_ASSIGN(ControlEntries entries, rebuild.finish(report_.losses));
    salvage_.salvaged_records += report_.records;
    salvage_.lost_records += report_.losses.corrupt.records;
    entries[keyspace::salvage_key()] = keyspace::encode_salvage(salvage_);
    entries[keyspace::format_key()] = keyspace::encode_format(format());
    EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
    for (const auto& [key, value] : entries) EH_TRY(txn.put(key, value));
    for (const WrappedKey& key : keys.to_write())
      EH_TRY(txn.put(keyspace::data_key_key(key.id), key.bytes));
    return txn.commit();
  }

  keyspace::FormatVersion format() const {
    keyspace::FormatVersion format = keyspace::kFormat;
    if (!salvage_.archives.empty()) format.min_reader = keyspace::kFollowsReferences;
    return format;
  }

  Status refer_to(const std::vector<BlockSummary>& blocks, lmdb::Environment& env,
                  Rebuild& rebuild) {
    std::map<std::uint32_t, FileDescriptor> open;
    for (const ArchiveFile& file : files_) {
      EH_ASSIGN(open[file.id], open_file(file.path, O_RDONLY));
    }
    options_.progress->begin("listing what was salvaged");
    for (std::size_t i = 0; i < blocks.size();) {
      EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
      for (std::size_t n = 0; i < blocks.size() && n < kBatchBlocks; ++i, ++n)
        EH_TRY(refer_to(blocks[i], open.at(blocks[i].archive).get(), txn, rebuild));
      EH_TRY(txn.commit());
      options_.progress->advance(0);
    }
    return {};
  }

  Status refer_to(const BlockSummary& block, int file, lmdb::Transaction& txn, Rebuild& rebuild) {
    const auto head = read_head(file, block);
    const auto header = head ? decode_header(*head) : tl::unexpected(head.error());
    if (!header) return {};  // not there any more: counted with what is lost
    EH_TRY(txn.append(keyspace::block_key(header->number, header->source),
                      encode_reference(*head, {block.archive, block.offset})));
    rebuild.keep(*header, [&] { return read_found(file, block); });
    ++report_.blocks;
    report_.records += header->records;
    if (salvage_.archives.empty() || salvage_.archives.back().id != block.archive)
      note_archive(block.archive);
    const auto archive = std::ranges::find(salvage_.archives, block.archive, &ArchiveState::id);
    ++archive->blocks;
    archive->bytes += pages_of(block.offset, block.size).length;
    return {};
  }

  void note_archive(std::uint32_t id) {
    auto& all = salvage_.archives;
    const auto at = std::ranges::lower_bound(all, id, {}, &ArchiveState::id);
    if (at == all.end() || at->id != id) all.insert(at, {id, 0, 0});
  }

  // Between the two renames a crash leaves no buffer.mdb, and a whole .salvaging: the next start
  // puts that in place.
  Status put_in_place() {
    ::unlink((fresh_ + "-lock").c_str());
    const std::uint32_t id = files_.back().id;
    const bool referred =
        std::ranges::find(salvage_.archives, id, &ArchiveState::id) != salvage_.archives.end();
    report_.quarantine = referred ? archive_path(options_.directory, id)
                                  : free_quarantine_path(options_.directory, clock_);
    report_.archived = referred;
    EH_TRY(rename_file(path_, report_.quarantine));
    ::unlink((path_ + "-lock").c_str());
    return rename_file(fresh_, path_);
  }

  const StoreOptions& options_;
  const Clock& clock_;
  const EnvironmentCheck check_;
  const std::string path_, fresh_;
  std::vector<ArchiveFile> files_;  // to be searched; the damaged one last
  SalvageState salvage_;
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
  if (left_out > 0) text += fmt::format("; the {} oldest blocks did not fit", left_out);
  if (!scan_complete) text += "; the scan was ended early";
  for (const std::string& assumption : losses.assumed) text += "; " + assumption;
  if (archived)
    return text + fmt::format(
                      ". They are delivered out of the damaged file, which is {} until then: it "
                      "belongs to the buffer, leave it there",
                      quarantine);
  if (quarantine.empty())
    return text + ". The damaged file was not kept: it did not fit into buffer.max_size";
  return text +
         fmt::format(
             ". The damaged file is kept as {}: 'edgehose buffer export --file' reads it; delete "
             "it when it is of no use",
             quarantine);
}

Result<RecoveryReport> recover_if_needed(const StoreOptions& options, const Clock& clock) {
  const std::string path = options.directory + "/" + std::string(keyspace::kEnvironmentFile);
  const std::string fresh = path + ".salvaging";
  if (!exists(path) && exists(fresh)) EH_TRY(rename_file(fresh, path));
  ::unlink(fresh.c_str());
  if (!exists(path)) {
    // Somebody took the buffer away; its copies belong to it.
    if (remove_copies(options.directory))
      log::warn("there is no buffer in {}, only its copy: starting an empty one",
                options.directory);
    return RecoveryReport{};
  }
  EH_ASSIGN(EnvironmentCheck check, check_environment(path, options));
  if (check.sound) return RecoveryReport{};
  log::error("buffer: {} is damaged ({}); salvaging what can be read", path, check.reason);
  EH_ASSIGN(RecoveryReport report, Recovery(options, clock, std::move(check)).run());
  log::error("buffer: {}", report.words());
  return report;
}

Result<bool> redraw_epoch_if_moved(lmdb::Transaction& txn, const std::string& directory,
                                   const std::string& root) {
  EH_ASSIGN(Machine now, look_at_machine(directory, root));
  EH_ASSIGN(const auto stored, txn.get(keyspace::machine_key()));
  Machine before;
  if (stored) {
    EH_ASSIGN(before, keyspace::decode_machine(*stored));
  }
  const std::vector<MachinePart> changed = differences(before, now);
  if (changed.empty()) {
    now.merge(Machine(before));  // what only others can read stays known
    if (now == before) return false;
    EH_TRY(txn.put(keyspace::machine_key(), keyspace::encode_machine(now)));
    return false;
  }
  Epoch epoch{};
  if (RAND_bytes(epoch.data(), static_cast<int>(epoch.size())) != 1)
    return fail(ErrorCode::kIo, "the system gave no random bytes for a new epoch");
  EH_TRY(txn.put(keyspace::machine_key(), keyspace::encode_machine(now)));
  EH_TRY(txn.put(keyspace::epoch_key(), keyspace::encode_epoch(epoch)));
  std::string what(name(changed.front()));
  for (std::size_t i = 1; i < changed.size(); ++i) what += fmt::format(", {}", name(changed[i]));
  log::warn(
      "buffer: {} was copied, or moved to another machine or volume (what changed: {}): new records "
      "carry a new epoch, so that this copy and the original never share an identity",
      directory, what);
  return true;
}

}  // namespace edgehose
