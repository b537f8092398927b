#include "buffer/copies.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "agent/base/file.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

constexpr std::string_view kMagic = "EHCOPY1\n";

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

// Durable on return, in the blocks that the file has already. The file's size changes only where
// the content's does: a new size is another write of the file system's journal.
Status overwrite(const std::string& path, std::string_view content) {
  const bool fresh = written_at(path) == 0;
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_WRONLY | O_CREAT, 0600));
  EH_TRY(write_all(fd.get(), content, path));
  struct stat st {};
  const auto size = static_cast<off_t>(content.size());
  if (::fstat(fd.get(), &st) != 0 || (st.st_size != size && ::ftruncate(fd.get(), size) != 0))
    return fail_errno(errno, fmt::format("writing {}", path));
  if (::fdatasync(fd.get()) != 0) return fail_errno(errno, fmt::format("syncing {}", path));
  return fresh ? sync_directory(parent_directory(path)) : Status{};
}

std::uint64_t next_block(const ControlEntries& entries) {
  const auto found = entries.find(keyspace::counters_key());
  if (found == entries.end()) return 0;
  const auto counters = keyspace::decode_counters(found->second);
  return counters ? counters->next_block.value : 0;
}

bool same_epoch(const ControlEntries& a, const ControlEntries& b) {
  const auto one = a.find(keyspace::epoch_key()), other = b.find(keyspace::epoch_key());
  return one != a.end() && other != b.end() && one->second == other->second;
}

Result<ControlEntries> read_copy(const std::string& path) {
  EH_ASSIGN(const std::string content, read_file(path, kMaxCopyBytes + 64));
  const auto damaged = [&] { return fail(ErrorCode::kCorrupt, "{} is damaged", path); };
  if (content.size() < kMagic.size() + 12 || !content.starts_with(kMagic)) return damaged();
  const std::string_view body = std::string_view(content).substr(0, content.size() - 4);
  ByteReader tail(std::string_view(content).substr(body.size()));
  if (tail.le<std::uint32_t>() != crc32c(0, body)) return damaged();
  ByteReader in(body.substr(kMagic.size()));
  ControlEntries entries;
  for (auto count = in.le<std::uint64_t>(); count > 0 && in.ok(); --count) {
    const std::string_view key = in.string();
    entries.emplace(key, in.string());
  }
  if (!in.ok() || !in.at_end()) return damaged();
  return entries;
}

struct Copies {
  std::array<std::string, kCopyFiles.size()> paths;
  std::array<Result<ControlEntries>, kCopyFiles.size()> read;

  explicit Copies(const std::string& directory)
      : paths{path_in(directory, kCopyFiles[0]), path_in(directory, kCopyFiles[1])},
        read{read_copy(paths[0]), read_copy(paths[1])} {}

  // The index of the newer one that is whole; of the first where none is.
  std::size_t newer() const {
    if (!read[1]) return 0;
    if (!read[0]) return 1;
    // The clock may have jumped between them; an epoch's counters never go back.
    const std::uint64_t before = next_block(*read[0]), after = next_block(*read[1]);
    if (same_epoch(*read[0], *read[1]) && before != after) return after > before ? 1 : 0;
    return written_at(paths[1]) > written_at(paths[0]) ? 1 : 0;
  }
};

}  // namespace

bool is_control_key(std::string_view key) {
  return !key.empty() && (key[0] == '\x00' || key[0] == '\x20') &&
         key != keyspace::clean_mark_key();
}

Result<ControlEntries> read_control_entries(const lmdb::Transaction& txn) {
  ControlEntries entries;
  std::size_t bytes = 0;
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  auto entry = cursor.first();
  for (; entry && *entry;) {
    const std::string_view key = (*entry)->key;
    if (key.starts_with(keyspace::kDeadLetterPrefix)) break;
    if (key.starts_with(keyspace::kBlockPrefix)) {
      entry = cursor.at_or_after(kAfterBlocks);
      continue;
    }
    bytes += key.size() + (*entry)->value.size() + 20;
    if (bytes > kMaxCopyBytes)
      return fail(ErrorCode::kFull, "the positions and names are too large to be copied ({} bytes)",
                  bytes);
    if (is_control_key(key)) entries.emplace(key, (*entry)->value);
    entry = cursor.next();
  }
  if (!entry) return tl::unexpected(std::move(entry).error());
  return entries;
}

Status write_copies(const std::string& directory, const lmdb::Transaction& txn) {
  EH_ASSIGN(const ControlEntries entries, read_control_entries(txn));
  std::string out(kMagic);
  put_le(out, std::uint64_t{entries.size()});
  for (const auto& [key, value] : entries) {
    put_string(out, key);
    put_string(out, value);
  }
  put_le(out, crc32c(0, out));
  // Never the one that a reader would take.
  const Copies copies(directory);
  const std::size_t target = copies.newer() == 0 && copies.read[0] ? 1 : 0;
  return overwrite(copies.paths[target], out);
}

Result<ControlEntries> read_copies(const std::string& directory) {
  Copies copies(directory);
  return std::move(copies.read[copies.newer()]);
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
