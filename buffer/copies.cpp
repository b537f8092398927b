#include "buffer/copies.h"

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "agent/base/file.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

constexpr std::string_view kMagic = "EHCOPY1\n";

// Where control keys begin again behind the blocks.
const std::string_view kAfterBlocks = "\x11";

std::string path_in(const std::string& directory) {
  return directory + "/" + std::string(kCopyFile);
}

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
  return replace_file(path_in(directory), out, 0600);
}

Result<ControlEntries> read_copies(const std::string& directory) {
  const std::string path = path_in(directory);
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

}  // namespace edgehose
