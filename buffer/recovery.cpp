#include "buffer/recovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/block_header.h"
#include "buffer/device.h"
#include "buffer/environment_check.h"
#include "buffer/keyspace.h"
#include "buffer/machine.h"

namespace edgehose {
namespace {

constexpr std::string_view kDamagedSuffix = ".damaged-";
constexpr Duration kScanDeadline = std::chrono::seconds(60);
constexpr std::uint64_t kBatchBytes = 4ull << 20;
constexpr std::uint64_t kDiskKept = 16ull << 20;
constexpr std::uint64_t kPage = 4096;

bool exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno(errno, fmt::format("renaming {} to {}", from, to));
  return sync_directory(parent_directory(to));
}

std::string stamp(WallTime now) {
  const std::time_t seconds = static_cast<std::time_t>(now.value / 1'000'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::uint64_t pages(std::uint64_t bytes) { return (bytes + 16 + kPage - 1) / kPage * kPage; }

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
    const ControlEntries entries = best_entries();
    EH_ASSIGN(Keyring keys, open_keys(entries));
    Rebuild rebuild(entries, check_.complete, keys);
    EH_ASSIGN(std::vector<BlockSummary> blocks, find_blocks(keys, rebuild));
    EH_TRY(build(blocks, rebuild, keys));
    EH_TRY(put_in_place());
    tidy(blocks);
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

  Result<std::vector<BlockSummary>> find_blocks(const Keyring& keys, const Rebuild& rebuild) {
    std::vector<BlockSummary> found;
    const auto take = [&](const FoundBlock& block) {
      if (!block.checked)
        ++report_.unreadable_blocks;
      else if (!is_live(block) || rebuild.delivered(summarize(block)))
        ++report_.stale;
      else
        found.push_back(summarize(block));
      return found.size() < kMaxFoundBlocks;
    };
    EH_ASSIGN(const ScanResult scan, scan_blocks(path_, &keys, clock_, clock_.now() + kScanDeadline,
                                                 take, options_.progress.get()));
    report_.damaged_blocks = scan.damaged;
    report_.scan_complete = scan.complete;
    Choice choice = choose_blocks(std::move(found));
    report_.stale += choice.duplicates + choice.aborted;
    return std::move(choice.blocks);
  }

  bool is_live(const FoundBlock& block) const {
    if (!check_.complete) return true;
    const auto live = check_.blocks.find(block.header.number);
    return live != check_.blocks.end() && live->second.source == block.header.source &&
           live->second.size == block.stored.size();
  }

  // Leaves out the oldest where not all of them fit into the buffer's limit and the disk.
  Status fit(std::vector<BlockSummary>& blocks, const lmdb::Environment& env) {
    EH_ASSIGN(const DiskSpace disk, disk_space(options_.directory));
    const std::uint64_t room = std::min({options_.max_size, lmdb::max_size_for(env.map_size()),
                                         disk.free - std::min(disk.free, kDiskKept)});
    std::uint64_t used = 0;
    std::size_t first = blocks.size();
    while (first > 0 && used + pages(blocks[first - 1].size) <= room)
      used += pages(blocks[--first].size);
    report_.left_out = first;
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
    EH_TRY(copy_blocks(blocks, env, rebuild));
    EH_ASSIGN(const ControlEntries entries, rebuild.finish(report_.losses));
    EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
    for (const auto& [key, value] : entries) EH_TRY(txn.put(key, value));
    for (const WrappedKey& key : keys.to_write())
      EH_TRY(txn.put(keyspace::data_key_key(key.id), key.bytes));
    return txn.commit();
  }

  Status copy_blocks(const std::vector<BlockSummary>& blocks, lmdb::Environment& env,
                     Rebuild& rebuild) {
    EH_ASSIGN(const FileDescriptor from, open_file(path_, O_RDONLY));
    std::uint64_t total = 0, copied = 0;
    for (const BlockSummary& block : blocks) total += block.size;
    options_.progress->begin("copying what was salvaged", total);
    for (std::size_t i = 0; i < blocks.size();) {
      EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
      for (std::uint64_t bytes = 0; i < blocks.size() && bytes < kBatchBytes; ++i) {
        const auto stored = read_found(from.get(), blocks[i]);
        if (!stored) continue;
        const auto header = decode_header(*stored);
        if (!header) continue;
        EH_TRY(txn.append(keyspace::block_key(header->number, header->source), *stored));
        rebuild.keep(*header, *stored);
        ++report_.blocks;
        report_.records += header->records;
        bytes += stored->size();
        copied += stored->size();
      }
      EH_TRY(txn.commit());
      options_.progress->advance(copied);
    }
    return {};
  }

  // Between the two renames a crash leaves no buffer.mdb, and a whole .salvaging: the next start
  // puts that in place.
  Status put_in_place() {
    ::unlink((fresh_ + "-lock").c_str());
    report_.quarantine = path_ + std::string(kDamagedSuffix) + stamp(clock_.wall());
    for (int n = 2; exists(report_.quarantine); ++n)
      report_.quarantine = fmt::format("{}{}{}.{}", path_, kDamagedSuffix, stamp(clock_.wall()), n);
    EH_TRY(rename_file(path_, report_.quarantine));
    ::unlink((path_ + "-lock").c_str());
    return rename_file(fresh_, path_);
  }

  // Keeps two quarantines, and those within the limit beside the buffer; what was salvaged need not
  // lie there twice.
  void tidy(const std::vector<BlockSummary>& blocks) {
    std::uint64_t used = file_bytes(path_);
    std::vector<Quarantine> kept = quarantines(options_.directory);
    const auto total = [&] {
      std::uint64_t sum = used;
      for (const Quarantine& q : kept) sum += q.allocated;
      return sum;
    };
    while (kept.size() > kMaxQuarantines || (kept.size() > 1 && total() > options_.max_size)) {
      ::unlink(kept.front().path.c_str());
      kept.erase(kept.begin());
    }
    if (kept.empty() || total() <= options_.max_size) return;
    punch_salvaged(kept.back().path, blocks);
    kept = quarantines(options_.directory);
    if (total() <= options_.max_size) return;
    ::unlink(kept.back().path.c_str());
    report_.quarantine.clear();
  }

  static std::uint64_t file_bytes(const std::string& path) {
    const auto fd = open_file(path, O_RDONLY);
    return fd ? allocated_bytes(fd->get()).value_or(0) : 0;
  }

  static void punch_salvaged(const std::string& path, const std::vector<BlockSummary>& blocks) {
    const auto fd = open_file(path, O_RDWR);
    if (!fd) return;
    for (const BlockSummary& block : blocks) {
      const std::uint64_t first = (block.offset + kPage - 1) / kPage * kPage;
      const std::uint64_t end = (block.offset + block.size) / kPage * kPage;
      if (first < end && !punch(fd->get(), first, end - first).value_or(false)) return;
    }
  }

  const StoreOptions& options_;
  const Clock& clock_;
  const EnvironmentCheck check_;
  const std::string path_, fresh_;
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
  if (quarantine.empty())
    return text + ". The damaged file was not kept: it did not fit into buffer.max_size";
  return text +
         fmt::format(
             ". The damaged file is kept as {}: 'edgehose buffer export --file' reads it; delete it when it is of no "
             "use",
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

std::vector<Quarantine> quarantines(const std::string& directory) {
  std::vector<Quarantine> found;
  const std::string prefix = std::string(keyspace::kEnvironmentFile) + std::string(kDamagedSuffix);
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* entry = ::readdir(dir)) {
      if (!std::string_view(entry->d_name).starts_with(prefix)) continue;
      Quarantine q{directory + "/" + entry->d_name, 0};
      struct stat st {};
      if (::stat(q.path.c_str(), &st) == 0)
        q.allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
      found.push_back(std::move(q));
    }
    ::closedir(dir);
  }
  std::ranges::sort(found, {}, &Quarantine::path);  // the time is in the name
  return found;
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
