#include "buffer/found_files.h"

#include <tuple>

#include "buffer/keyspace.h"

namespace edgehose {
namespace {

using FilePlace = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;

FilePlace place_of(const FileIdentity& file) {
  return {file.filesystem, file.inode, file.birth_ns};
}

// Whether both can be one content, which may have grown or moved between two looks.
bool is_same(const FileIdentity& a, const FileIdentity& b) {
  if (a.prefix_length != b.prefix_length || a.prefix_length == 0) return place_of(a) == place_of(b);
  return a.prefix_hash == b.prefix_hash;
}

// What one file can be under two numbers: the number of one of them was given a second time.
auto content_of(const FileIdentity& file) {
  return std::tuple(place_of(file), file.prefix_length, file.prefix_hash);
}

}  // namespace

void FoundFiles::add(std::string_view key, std::string_view value) {
  const auto id = keyspace::parse_file_key(key);
  if (!id || *id < first_ || (found_.size() >= kMaxFoundFiles && !found_.contains(*id))) return;
  const auto plain = keys_.open_value(key, value);
  auto file = plain ? keyspace::decode_file(*plain) : tl::unexpected(plain.error());
  if (!file) return;
  const auto [at, fresh] = found_.try_emplace(*id, Found{*file});
  if (fresh) return;
  Found& found = at->second;
  found.certain = found.certain && is_same(found.file.identity, file->identity);
  const auto rank = [](const FileState& f) {
    return std::tuple(f.identity.prefix_length, f.seen.value);
  };
  if (rank(*file) > rank(found.file)) found.file = std::move(*file);
}

std::map<FileId, FileState> FoundFiles::certain(const std::map<FileId, FileState>& known) const {
  std::map<decltype(content_of({})), unsigned> numbers;
  for (const auto& [id, file] : known) ++numbers[content_of(file.identity)];
  for (const auto& [id, found] : found_) ++numbers[content_of(found.file.identity)];
  std::map<FileId, FileState> files;
  for (const auto& [id, found] : found_) {
    if (!found.certain || numbers[content_of(found.file.identity)] > 1) continue;
    FileState& file = files[id];
    file = found.file;
    file.offset = 0;
    file.crc = 0;
    file.crc_known = true;
    file.finished = false;
    file.held.undelivered_from = 0;
  }
  return files;
}

}  // namespace edgehose
