#include "buffer/copies.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "agent/base/file.h"
#include "buffer/copy_file.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

// Where control keys begin again behind the blocks.
const std::string_view kAfterBlocks = "\x11";

std::string path_in(const std::string& directory, std::string_view file) {
  return directory + "/" + std::string(file);
}

// When a copy was written, by its file; 0: there is none.
std::int64_t written_at(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return 0;
  return st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
}

// By what the newer of two is told.
struct CopyOutline {
  std::string epoch;  // as it is stored
  std::uint64_t next_block = 0;
};

// Of a copy that is whole.
Result<CopyOutline> outline_of(const std::string& path) {
  EH_ASSIGN(CopyReader copy, CopyReader::open(path));
  CopyOutline outline;
  std::string key, value;
  for (;;) {
    EH_ASSIGN(const bool more, copy.next(key, value));
    if (!more) return outline;
    if (key == keyspace::epoch_key()) outline.epoch = value;
    if (key != keyspace::counters_key()) continue;
    if (const auto counters = keyspace::decode_counters(value))
      outline.next_block = counters->next_block.value;
  }
}

Result<ControlEntries> read_copy(const std::string& path) {
  EH_ASSIGN(CopyReader copy, CopyReader::open(path));
  ControlEntries entries;
  std::string key, value;
  for (;;) {
    EH_ASSIGN(const bool more, copy.next(key, value));
    if (!more) return entries;
    entries.emplace(key, value);
  }
}

struct Copies {
  std::array<std::string, kCopyFiles.size()> paths;
  std::array<Result<CopyOutline>, kCopyFiles.size()> outlines;

  explicit Copies(const std::string& directory)
      : paths{path_in(directory, kCopyFiles[0]), path_in(directory, kCopyFiles[1])},
        outlines{outline_of(paths[0]), outline_of(paths[1])} {}

  // The index of the newer one that is whole; of the first where none is.
  std::size_t newer() const {
    if (!outlines[1]) return 0;
    if (!outlines[0]) return 1;
    // The clock may have jumped between them; an epoch's counters never go back.
    const CopyOutline &first = *outlines[0], &second = *outlines[1];
    const bool same_epoch = !first.epoch.empty() && first.epoch == second.epoch;
    if (same_epoch && first.next_block != second.next_block)
      return second.next_block > first.next_block ? 1 : 0;
    return written_at(paths[1]) > written_at(paths[0]) ? 1 : 0;
  }
};

Status for_each_control_entry(const lmdb::Transaction& txn,
                              const std::function<Status(const lmdb::Entry&)>& visit) {
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  auto entry = cursor.first();
  for (; entry && *entry;) {
    const std::string_view key = (*entry)->key;
    if (key.starts_with(keyspace::kDeadLetterPrefix)) break;
    if (key.starts_with(keyspace::kBlockPrefix)) {
      entry = cursor.at_or_after(kAfterBlocks);
      continue;
    }
    if (is_control_key(key)) EH_TRY(visit(**entry));
    entry = cursor.next();
  }
  if (!entry) return tl::unexpected(std::move(entry).error());
  return {};
}

// How many entries a copy will hold. kFull: they are too large.
Result<std::uint64_t> count_entries(const lmdb::Transaction& txn) {
  std::uint64_t count = 0;
  std::size_t bytes = 0;
  EH_TRY(for_each_control_entry(txn, [&](const lmdb::Entry& entry) -> Status {
    ++count;
    bytes += entry.key.size() + entry.value.size() + 20;
    if (bytes <= kMaxCopyBytes) return {};
    return fail(ErrorCode::kFull, "the positions and names are too large to be copied ({} bytes)",
                bytes);
  }));
  return count;
}

// Durable on return, in the blocks that the file has already. The file's size changes only where
// the content's does: a new size is another write of the file system's journal.
Status overwrite(const std::string& path, const lmdb::Transaction& txn) {
  EH_ASSIGN(const std::uint64_t count, count_entries(txn));
  const bool fresh = written_at(path) == 0;
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_WRONLY | O_CREAT, 0600));
  CopyWriter copy(fd.get(), path, count);
  EH_TRY(for_each_control_entry(
      txn, [&](const lmdb::Entry& entry) { return copy.add(entry.key, entry.value); }));
  EH_ASSIGN(const std::uint64_t bytes, copy.finish());
  struct stat st {};
  const auto size = static_cast<off_t>(bytes);
  if (::fstat(fd.get(), &st) != 0 || (st.st_size != size && ::ftruncate(fd.get(), size) != 0))
    return fail_errno(errno, fmt::format("writing {}", path));
  if (::fdatasync(fd.get()) != 0) return fail_errno(errno, fmt::format("syncing {}", path));
  return fresh ? sync_directory(parent_directory(path)) : Status{};
}

}  // namespace

bool is_control_key(std::string_view key) {
  return !key.empty() && (key[0] == '\x00' || key[0] == '\x20') &&
         key != keyspace::clean_mark_key();
}

Status write_copies(const std::string& directory, const lmdb::Transaction& txn) {
  // Never the one that a reader would take.
  const Copies copies(directory);
  const std::size_t target = copies.newer() == 0 && copies.outlines[0] ? 1 : 0;
  return overwrite(copies.paths[target], txn);
}

Result<ControlEntries> read_copies(const std::string& directory) {
  const Copies copies(directory);
  return read_copy(copies.paths[copies.newer()]);
}

std::uint64_t copy_bytes(const std::string& directory) {
  std::uint64_t largest = 0;
  for (const std::string_view file : kCopyFiles) {
    struct stat st {};
    if (::stat(path_in(directory, file).c_str(), &st) == 0)
      largest = std::max(largest, static_cast<std::uint64_t>(st.st_size));
  }
  return largest;
}

bool remove_copies(const std::string& directory) {
  bool removed = false;
  for (const std::string_view file : kCopyFiles)
    removed = ::unlink(path_in(directory, file).c_str()) == 0 || removed;
  return removed;
}

}  // namespace edgehose
